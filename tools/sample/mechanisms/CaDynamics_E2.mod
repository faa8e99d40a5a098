TITLE Calcium in a thin shell below the membrane

COMMENT
After Destexhe, Mainen and Sejnowski (1994), J. Computational Neuroscience 1:195-230: the
part gamma of the inflow stays free, and calcium decays to its resting value.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX CaDynamics_E2
    USEION ca READ ica WRITE cai
    RANGE decay, gamma, minCai, depth
}

UNITS {
    (mA) = (milliamp)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    FARADAY = (faraday) (coulombs)
}

PARAMETER {
    gamma = 0.05 : part of the calcium that no buffer binds
    decay = 80 (ms)
    depth = 0.1 (um)
    minCai = 1e-4 (mM)
}

ASSIGNED { ica (mA/cm2) }

STATE { cai (mM) }

INITIAL { cai = minCai }

BREAKPOINT { SOLVE states METHOD cnexp }

DERIVATIVE states {
    cai' = -(10000)*ica*gamma/(2*FARADAY*depth) - (cai - minCai)/decay
}
