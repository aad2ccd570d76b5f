# SPDX-License-Identifier: MIT
"""A whole training: weights, references and restraints, the fit, its committee and its warnings.

:func:`aiida_alpot.fitting.fit_potential` minimises a loss. What surrounds it in practice is here:
which configurations count and how much, energies of free atoms taken off and put back, blocks of
parameters held, single absurd labels disarmed, and in the end a look at what the data could not
teach. The job ``fit`` is this on files.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.committee import Member, committee_members, fit_committee
from aiida_alpot.fitting.diagnosis import (
    FitWarning,
    warn_about_data,
    warn_about_patterns,
)
from aiida_alpot.fitting.fit import FitResult, Progress, fit_targets
from aiida_alpot.fitting.journal import Journal
from aiida_alpot.fitting.label_diagnosis import (
    warn_about_huge_forces,
    warn_about_outliers,
    warn_about_rank,
)
from aiida_alpot.fitting.loss import Targets, make_targets
from aiida_alpot.fitting.normal_equations import normal_equations
from aiida_alpot.fitting.outliers import Outlier, find_outliers
from aiida_alpot.fitting.references import (
    atomic_references,
    lower_constants,
    shift_constants,
    subtract_references,
)
from aiida_alpot.fitting.residuals import Deviations, deviations
from aiida_alpot.fitting.restraints import Restraints, make_restraints
from aiida_alpot.fitting.robust import (
    LabelWeights,
    check_threshold,
    fit_robustly,
    without_suspicious,
)
from aiida_alpot.fitting.search import PROJECTION, choose_method
from aiida_alpot.fitting.strata import frozen_parameters, select_parameters
from aiida_alpot.fitting.training_data import TrainingData, prepare_training
from aiida_alpot.fitting.training_settings import TrainingSettings
from aiida_alpot.mtp.evaluate import Evaluation, evaluate
from aiida_alpot.mtp.mlip_files import dump_potential
from aiida_alpot.mtp.potential import MomentTensorPotential

__all__ = ["Training", "TrainingSettings", "key_of_training", "train_potential"]

Array = np.ndarray


@dataclass(frozen=True)
class Training:
    """What a training gave.

    Parameters
    ----------
    fit : FitResult
        The potential and how its search went.
    committee : tuple of FitResult
        The members; empty if none was asked for.
    trained_on : Configurations
        What was trained on, with weights; configurations of weight zero are not in it.
    atomic_energies : mapping of str to float or None
        Energies of free atoms that were used, eV.
    outliers : tuple of Outlier
        Labels that do not go with the others, the worst first.
    reduced : LabelWeights or None
        Factors of the robust loss on the weights of labels; None by least squares.
    warnings : tuple of FitWarning
        What the data could not teach.
    """

    fit: FitResult
    committee: tuple[FitResult, ...]
    trained_on: Configurations
    atomic_energies: Mapping[str, float] | None
    outliers: tuple[Outlier, ...]
    reduced: LabelWeights | None
    warnings: tuple[FitWarning, ...]


def train_potential(
    training: Configurations,
    *,
    initial: MomentTensorPotential,
    settings: TrainingSettings | None = None,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> Training:
    """Train a potential, and a committee if one is asked for.

    Parameters
    ----------
    training : Configurations
        Labelled, in part or in full.
    initial : MomentTensorPotential
        Of :func:`start_potential` or :func:`warm_start`. Frozen blocks keep its values; a pull
        leads to it.
    settings : TrainingSettings, optional
        How.
    progress : callable, optional
        Is given a :class:`SearchState` after every step.
    journal : Journal, optional
        Of the training that :func:`key_of_training` tells; what it knows is not done again.

    Raises
    ------
    EmptyDataError
        If nothing has a weight.
    SettingError, SpeciesError, GeometryError, LabelError
        If a setting is out of range or the training set is not usable, see the parts.
    """
    settings = settings or TrainingSettings()
    if settings.robust is not None:
        check_threshold(settings.robust)
    data = prepare_training(training, initial, settings.weighting)
    references = None
    if settings.atomic_energies is not None:
        references = atomic_references(
            data.configurations, settings.atomic_energies, cutoff=initial.cutoff
        )
    trained = _Trainer(
        data, initial, references, settings, progress=progress, journal=journal
    ).train()
    unmatched = warn_about_patterns(training, settings.weighting.by_name)
    return dataclasses.replace(trained, warnings=(*unmatched, *trained.warnings))


def key_of_training(
    training: Configurations, initial: MomentTensorPotential, settings: TrainingSettings
) -> str:
    """Return what tells a training from any other that may end in other bits, as hex digits."""
    told = repr(dataclasses.replace(settings, threads=1))
    digest = hashlib.sha256(training.to_bytes())
    for part in (dump_potential(initial), told):
        digest.update(part.encode("utf-8"))
    return digest.hexdigest()


class _Trainer:
    """The data of one training and the steps that use them."""

    def __init__(
        self,
        data: TrainingData,
        initial: MomentTensorPotential,
        references: Mapping[str, float] | None,
        settings: TrainingSettings,
        *,
        progress: Progress | None,
        journal: Journal | None,
    ) -> None:
        self.configurations = data.configurations
        self.environment = data.environment
        self.suspicious = data.suspicious
        self.initial = initial
        self.references = references
        self.settings = settings
        self.progress = progress
        self.journal = journal
        self.shifted, self.start = data.configurations, initial
        if references is not None:
            self.shifted = subtract_references(data.configurations, references)
            self.start = lower_constants(initial, references)
        self.restraints = self._restraints()

    def _restraints(self) -> Restraints | None:
        settings, start = self.settings, self.start
        if not (settings.frozen or settings.train_only is not None or settings.pull):
            return None
        pulled = None if settings.pulled is None else select_parameters(start, settings.pulled)
        return make_restraints(
            start,
            frozen=frozen_parameters(start, frozen=settings.frozen, train_only=settings.train_only),
            pull=settings.pull,
            pulled=pulled,
        )

    def train(self) -> Training:
        """Fit, look at the result, fit the committee."""
        result, factors = self._fit()
        potential = result.potential
        found = find_outliers(
            self.shifted,
            self._deviations(potential),
            _errors(self.shifted, self._predict(potential)),
        )
        outliers = _merge(self.suspicious, found)
        warnings = (
            *warn_about_data(self.configurations, self.environment, potential),
            *self._rank_warnings(potential),
            *warn_about_outliers(outliers, is_robust=factors is not None),
            *warn_about_huge_forces(self.configurations, outliers),
        )
        committee: tuple[FitResult, ...] = ()
        if self.settings.committee is not None and not result.interrupted:
            committee = fit_committee(
                committee_members(
                    self.shifted,
                    self.start,
                    self.settings.committee,
                    seed=self.settings.seed,
                    restraints=self.restraints,
                ),
                lambda member: self._fit_member(member, factors),
            )
        return Training(
            fit=self._finish(result),
            committee=tuple(self._finish(member) for member in committee),
            trained_on=self.configurations,
            atomic_energies=self.references,
            outliers=tuple(outliers),
            reduced=factors,
            warnings=warnings,
        )

    def _fit(self) -> tuple[FitResult, LabelWeights | None]:
        targets = self._targets(self.shifted)
        if self.settings.robust is None:
            return self._search(targets, self.start, self.settings.n_starts), None
        return fit_robustly(
            lambda factors, start: self._search(
                factors.apply(targets),
                start,
                self.settings.n_starts if start is self.start else 1,
            ),
            self._deviations,
            initial=self.start,
            first=without_suspicious(self.shifted, self.suspicious),
            threshold=self.settings.robust,
        )

    def _fit_member(self, member: Member, factors: LabelWeights | None) -> FitResult:
        targets = self._targets(self.shifted.replace(weight=member.weight))
        return self._search(
            targets if factors is None else factors.apply(targets), member.initial, 1
        )

    def _targets(self, configurations: Configurations) -> Targets:
        return make_targets(configurations, self.settings.weights, self.restraints)

    def _search(self, targets: Targets, start: MomentTensorPotential, n_starts: int) -> FitResult:
        settings = self.settings
        return fit_targets(
            self.environment,
            targets,
            initial=start,
            seed=settings.seed,
            n_starts=n_starts,
            max_iterations=settings.max_iterations,
            tolerance=settings.tolerance,
            threads=settings.threads,
            method=settings.method,
            progress=self.progress,
            journal=self.journal,
        )

    def _predict(self, potential: MomentTensorPotential) -> Evaluation:
        return evaluate(
            potential,
            self.shifted,
            neighbors=self.environment.neighbors,
            threads=self.settings.threads,
        )

    def _deviations(self, potential: MomentTensorPotential) -> Deviations:
        return deviations(self.shifted, self._predict(potential), self.settings.weights)

    def _rank_warnings(self, potential: MomentTensorPotential) -> Iterator[FitWarning]:
        """Warn about undetermined parameters, where the matrices of the labels can be had."""
        from aiida_alpot.grading.row_space import structural_rank

        if choose_method(None, potential.n_parameters, self.settings.threads) != PROJECTION:
            return
        targets = dataclasses.replace(self._targets(self.shifted), restraints=None)
        equations = normal_equations(
            potential, self.environment, targets, threads=self.settings.threads
        )
        yield from warn_about_rank(
            equations.matrix,
            n_directions=structural_rank(potential),
            n_labels=targets.n_rows,
            frozen=None if self.restraints is None else self.restraints.frozen,
        )

    def _finish(self, result: FitResult) -> FitResult:
        """Put the energies of free atoms back; what is frozen has its value to the last bit."""
        if self.references is None:
            return result
        raised = shift_constants(result.potential, self.references, sign=1)
        if self.restraints is not None:
            # a constant of zero was never fitted and becomes that of the free atom
            is_kept = self.restraints.frozen & (self.initial.parameters != 0.0)
            raised = raised.with_parameters(
                np.where(is_kept, self.initial.parameters, raised.parameters)
            )
        return dataclasses.replace(result, potential=raised)


def _errors(configurations: Configurations, prediction: Evaluation) -> dict[str, Array]:
    """Return absolute errors in the units of people, of each label."""
    return {
        "energy": np.abs(prediction.energy - configurations.energy) / configurations.n_atoms,
        "forces": np.linalg.norm(prediction.forces - configurations.forces, axis=1),
        "stress": np.abs(prediction.stress - configurations.stress).max(axis=1, initial=0.0),
    }


def _merge(before: list[Outlier], after: list[Outlier]) -> list[Outlier]:
    """Join what was found before and after the fit, each label once."""
    seen = {(outlier.configuration, outlier.kind) for outlier in before}
    return before + [one for one in after if (one.configuration, one.kind) not in seen]
