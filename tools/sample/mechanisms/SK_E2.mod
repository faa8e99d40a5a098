TITLE Calcium-activated potassium current (SK type)

COMMENT
Kinetics: Koehler et al. (1996), Science 273:1709-1714, in the form printed by Hay et al.
(2011), PLoS Computational Biology 7:e1002107.
Part of a synthetic me-type package: written for it, with kinetics from the literature.
ENDCOMMENT

NEURON {
    SUFFIX SK_E2
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gSK_E2bar, gSK_E2, ik
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
    (mM) = (milli/liter)
}

PARAMETER {
    gSK_E2bar = 1e-6 (S/cm2)
    zTau = 1 (ms)
    half = 0.00043 (mM)
}

ASSIGNED {
    v (mV)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    gSK_E2 (S/cm2)
    zInf
}

STATE { z FROM 0 TO 1 }

BREAKPOINT {
    SOLVE states METHOD cnexp
    gSK_E2 = gSK_E2bar*z
    ik = gSK_E2*(v - ek)
}

INITIAL {
    rates(cai)
    z = zInf
}

DERIVATIVE states {
    rates(cai)
    z' = (zInf - z)/zTau
}

PROCEDURE rates(c (mM)) {
    if (c < 1e-7) {
        zInf = 0
    } else {
        zInf = 1/(1 + (half/c)^4.8)
    }
}
