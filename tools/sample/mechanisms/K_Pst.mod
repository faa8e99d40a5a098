TITLE Persistent (slowly inactivating) potassium current

COMMENT
Kinetics: Korngreen and Sakmann (2000), J. Physiology 525:621-639, shifted by -10 mV for the
junction potential, in the form printed by Hay et al. (2011), PLoS Comput. Biol. 7:e1002107.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX K_Pst
    USEION k READ ek WRITE ik
    RANGE gK_Pstbar, gK_Pst, ik
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gK_Pstbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gK_Pst (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gK_Pst = gK_Pstbar*m*m*h
    ik = gK_Pst*(v - ek)
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
    mInf = 1/(1 + exp(-(v + 11)/12))
    if (v < -60) {
        mTau = (1.25 + 175.03*exp(0.026*(v + 10)))/qt
    } else {
        mTau = (1.25 + 13*exp(-0.026*(v + 10)))/qt
    }
    hInf = 1/(1 + exp((v + 64)/11))
    hTau = (360 + (1010 + 24*(v + 65))*exp(-((v + 85)/48)^2))/qt
    UNITSON
}
