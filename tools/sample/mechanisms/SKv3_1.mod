TITLE Fast, high-threshold potassium current (Kv3.1)

COMMENT
Kinetics: Rettig et al. (1992), EMBO Journal 11:2473-2486, in the form printed by
Hay et al. (2011), PLoS Computational Biology 7:e1002107.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX SKv3_1
    USEION k READ ek WRITE ik
    RANGE gSKv3_1bar, gSKv3_1, ik
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gSKv3_1bar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gSKv3_1 (S/cm2)
    mInf mTau
}

STATE { m }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gSKv3_1 = gSKv3_1bar*m
    ik = gSKv3_1*(v - ek)
}

INITIAL {
    rates(v)
    m = mInf
}

DERIVATIVE states {
    rates(v)
    m' = (mInf - m)/mTau
}

PROCEDURE rates(v (mV)) {

    UNITSOFF
    mInf = 1/(1 + exp(-(v - 18.7)/9.7))
    mTau = 4/(1 + exp(-(v + 46.56)/44.14))
    UNITSON
}
