TITLE High-voltage-activated calcium current

COMMENT
Kinetics: Reuveni et al. (1993), J. Neuroscience 13:4609-4621.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX Ca_HVA
    USEION ca READ eca WRITE ica
    RANGE gCa_HVAbar, gCa_HVA, ica
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gCa_HVAbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    eca (mV)
    ica (mA/cm2)
    gCa_HVA (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gCa_HVA = gCa_HVAbar*m*m*h
    ica = gCa_HVA*(v - eca)
}

INITIAL {
    rates(v)
    m = mInf
    h = hInf
}

DERIVATIVE states {
    rates(v)
    m' = (mInf - m)/mTau
    h' = (hInf - h)/hTau
}

PROCEDURE rates(v (mV)) {
    LOCAL a, b
    UNITSOFF
    a = 0.055*linoid(v + 27, 3.8)
    b = 0.94*exp(-(v + 75)/17)
    mInf = a/(a + b)
    mTau = 1/(a + b)
    a = 0.000457*exp(-(v + 13)/50)
    b = 0.0065/(1 + exp(-(v + 15)/28))
    hInf = a/(a + b)
    hTau = 1/(a + b)
    UNITSON
}

: x / (1 - exp(-x/k)), continued smoothly through x = 0
FUNCTION linoid(x, k) {
    if (fabs(x/k) < 1e-6) {
        linoid = k*(1 + x/k/2)
    } else {
        linoid = x/(1 - exp(-x/k))
    }
}
