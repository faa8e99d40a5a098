TITLE Fast inactivating sodium current of the axon

COMMENT
Kinetics: Colbert and Pan (2002), Nature Neuroscience 5:533-538, in the form printed by
Hay et al. (2011), PLoS Computational Biology 7:e1002107.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX NaTa_t
    USEION na READ ena WRITE ina
    RANGE gNaTa_tbar, gNaTa_t, ina
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gNaTa_tbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    gNaTa_t (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gNaTa_t = gNaTa_tbar*m*m*m*h
    ina = gNaTa_t*(v - ena)
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
    LOCAL qt, a, b
    UNITSOFF
    qt = 2.3^((34 - 21)/10)  : kinetics measured at 21 degC, model at 34 degC
    a = 0.182*linoid(v + 38, 6)
    b = 0.124*linoid(-v - 38, 6)
    mInf = a/(a + b)
    mTau = 1/(a + b)/qt
    a = 0.015*linoid(-v - 66, 6)
    b = 0.015*linoid(v + 66, 6)
    hInf = a/(a + b)
    hTau = 1/(a + b)/qt
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
