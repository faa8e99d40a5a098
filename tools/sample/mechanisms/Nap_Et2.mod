TITLE Persistent sodium current

COMMENT
Kinetics: Magistretti and Alonso (1999), J. General Physiology 114:491-509, in the form
printed by Hay et al. (2011), PLoS Computational Biology 7:e1002107.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX Nap_Et2
    USEION na READ ena WRITE ina
    RANGE gNap_Et2bar, gNap_Et2, ina
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gNap_Et2bar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    gNap_Et2 (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gNap_Et2 = gNap_Et2bar*m*m*m*h
    ina = gNap_Et2*(v - ena)
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
    mInf = 1/(1 + exp(-(v + 52.6)/4.6))
    a = 0.182*linoid(v + 38, 6)
    b = 0.124*linoid(-v - 38, 6)
    mTau = 6/(a + b)/qt
    hInf = 1/(1 + exp((v + 48.8)/10))
    a = 2.88e-6*linoid(-v - 17, 4.63)
    b = 6.94e-6*linoid(v + 64.4, 2.63)
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
