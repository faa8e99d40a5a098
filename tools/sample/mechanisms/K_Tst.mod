TITLE Transient potassium current

COMMENT
Kinetics: Korngreen and Sakmann (2000), J. Physiology 525:621-639, shifted by -10 mV for the
junction potential, in the form printed by Hay et al. (2011), PLoS Comput. Biol. 7:e1002107.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX K_Tst
    USEION k READ ek WRITE ik
    RANGE gK_Tstbar, gK_Tst, ik
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gK_Tstbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gK_Tst (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gK_Tst = gK_Tstbar*m*m*m*m*h
    ik = gK_Tst*(v - ek)
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
    qt = 2.3^((34 - 21)/10)  : kinetics measured at 21 degC, model at 34 degC
    mInf = 1/(1 + exp(-(v + 10)/19))
    mTau = (0.34 + 0.92*exp(-((v + 81)/59)^2))/qt
    hInf = 1/(1 + exp((v + 76)/10))
    hTau = (8 + 49*exp(-((v + 83)/23)^2))/qt
    UNITSON
}
