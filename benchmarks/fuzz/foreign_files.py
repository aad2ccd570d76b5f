# SPDX-License-Identifier: MIT
"""Small valid files of other programs, as their readers want them."""

XDATCAR = """\
cell
 1.0
 3.6 0.0 0.0
 0.0 3.6 0.0
 0.0 0.0 3.6
 Cu
 2
Direct configuration= 1
 0.0 0.0 0.0
 0.5 0.5 0.5
Direct configuration= 2
 0.0 0.1 0.0
 0.5 0.5 0.5
"""
DUMP = """\
ITEM: TIMESTEP
10
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0.0 3.6
0.0 3.6
0.0 3.6
ITEM: ATOMS id type element x y z
1 1 Cu 0.0 0.0 0.0
2 1 Cu 1.8 1.8 1.8
"""
OUTCAR = """\
 vasp.6.3.0 18Jan22
 POTCAR:    PAW_PBE Cu 22Jun2005
   VRHFIN =Cu: d10 p1
   TITEL  = PAW_PBE Cu 22Jun2005
   ions per type =               1
   number of ions     NIONS =      1
   LORBIT =      0
   ISPIN  =      1
   k-points   NKPTS =      1   k-points in BZ   NKDIM =      1   number of bands   NBANDS=      2
 k-points in reciprocal lattice and weights: K
   0.00000000  0.00000000  0.00000000       1.000
--------------------------------------- Iteration      1(   1)  --------------------
  direct lattice vectors                 reciprocal lattice vectors
     0.0  1.8  1.8    -0.27  0.27  0.27
     1.8  0.0  1.8     0.27 -0.27  0.27
     1.8  1.8  0.0     0.27  0.27 -0.27
 FORCE on cell =-STRESS in cart. coord.  units (eV):
  in kB       1.0 1.0 1.0 0.0 0.0 0.0
 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
      0.00000      0.00000      0.00000         0.000000      0.000000      0.000000
 -----------------------------------------------------------------------------------
    total drift:                                0.000000      0.000000      0.000000
  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  =        -3.7 eV

  energy  without entropy=       -3.7  energy(sigma->0) =       -3.7
"""
VASPRUN = """\
<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray>
  <varray name="weights"><v> 1.0 </v></varray></kpoints>
 <parameters><separator name="electronic"><i name="ENCUT"> 300.0</i></separator></parameters>
 <atominfo><atoms> 1 </atoms><types> 1 </types>
  <array name="atoms"><set><rc><c>Cu</c><c> 1</c></rc></set></array></atominfo>
 <structure name="initialpos"><crystal><varray name="basis">
  <v> 0.0 1.8 1.8 </v><v> 1.8 0.0 1.8 </v><v> 1.8 1.8 0.0 </v></varray></crystal>
  <varray name="positions"><v> 0.0 0.0 0.0 </v></varray></structure>
 <calculation>
  <scstep><energy><i name="e_fr_energy"> -3.7 </i><i name="e_0_energy"> -3.7 </i></energy></scstep>
  <structure><crystal><varray name="basis">
  <v> 0.0 1.8 1.8 </v><v> 1.8 0.0 1.8 </v><v> 1.8 1.8 0.0 </v></varray></crystal>
  <varray name="positions"><v> 0.0 0.0 0.0 </v></varray></structure>
  <varray name="forces"><v> 0.0 0.0 0.0 </v></varray>
  <varray name="stress"><v> 1.0 0.0 0.0 </v><v> 0.0 1.0 0.0 </v><v> 0.0 0.0 1.0 </v></varray>
  <energy><i name="e_fr_energy"> -3.7 </i><i name="e_0_energy"> -3.7 </i></energy>
 </calculation>
</modeling>
"""
PWO = """\
     Program PWSCF v.6.4 starts on 1Jan2020 at  0: 0: 0
     bravais-lattice index     =            0
     lattice parameter (alat)  =       6.8000  a.u.
     number of atoms/cell      =            1
     number of atomic types    =            1
     celldm(1)=   6.800000  celldm(2)=   0.000000  celldm(3)=   0.000000
     celldm(4)=   0.000000  celldm(5)=   0.000000  celldm(6)=   0.000000
     crystal axes: (cart. coord. in units of alat)
               a(1) = (   0.500000   0.500000   0.000000 )
               a(2) = (   0.500000   0.000000   0.500000 )
               a(3) = (   0.000000   0.500000   0.500000 )
     site n.     atom                  positions (alat units)
         1           Cu  tau(   1) = (   0.0000000   0.0000000   0.0000000  )

!    total energy              =    -100.0 Ry
     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.00000000    0.00000000    0.00000000

     total   stress  (Ry/bohr**3)                   (kbar)     P=       10.00
   0.00006798   0.00000000   0.00000000         10.00        0.00        0.00
   0.00000000   0.00006798   0.00000000          0.00       10.00        0.00
   0.00000000   0.00000000   0.00006798          0.00        0.00       10.00
"""
