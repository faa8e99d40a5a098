TITLE Low-voltage-activated calcium current (T-type)

COMMENT
Kinetics: Avery and Johnston (1996), J. Neuroscience 16:5567-5582; time constants Randall and
Tsien (1997), Neuropharmacology 36:879-893; shifted by -10 mV for the junction potential.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX Ca_LVAst
    USEION ca READ eca WRITE ica
    RANGE gCa_LVAstbar, gCa_LVAst, ica
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gCa_LVAstbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    eca (mV)
    ica (mA/cm2)
    gCa_LVAst (S/cm2)
    mInf mTau hInf hTau
}

STATE { m h }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gCa_LVAst = gCa_LVAstbar*m*m*h
    ica = gCa_LVAst*(v - eca)
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
    mInf = 1/(1 + exp(-(v + 40)/6))
    mTau = (5 + 20/(1 + exp((v + 35)/5)))/qt
    hInf = 1/(1 + exp((v + 90)/6.4))
    hTau = (20 + 50/(1 + exp((v + 50)/7)))/qt
    UNITSON
}
