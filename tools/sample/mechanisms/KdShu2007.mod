TITLE Slowly inactivating D-type potassium current

COMMENT
Kinetics: Shu et al. (2007), PNAS 104:11453-11458, measured at 22 degC.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX KdShu2007
    USEION k READ ek WRITE ik
    RANGE gkbar, g, ik
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gkbar = 0.1 (S/cm2)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    g = gkbar*m*h
    ik = g*(v - ek)
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
    LOCAL qt
    UNITSOFF
    qt = 2.3^((34 - 22)/10)
    mInf = 1/(1 + exp(-(v + 43)/8))
    mTau = 0.6
    hInf = 1/(1 + exp((v + 67)/7.3))
    hTau = 1500/qt
    UNITSON
}
