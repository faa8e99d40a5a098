TITLE Potassium channels that open and close at random

COMMENT
N two-state channels a compartment; at each step the number that opens and the number that
closes are binomial.  The voltage dependence has the form of the potassium current of Mainen
and Sejnowski (1995), Science 268:1503-1506, moved to a lower threshold, slower and steeper, so
that few channels are open at rest.
gkbar counts as pS/um2; gamma, in pS, is the conductance of what opens as one.  Needs a fixed time step.
Part of a synthetic me-type package: written for it.
ENDCOMMENT

NEURON {
    SUFFIX StochKv
    USEION k READ ek WRITE ik
    RANGE N, N1, gk, gkbar, gamma, deterministic, ik
    POINTER rng
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (pS) = (picosiemens)
    (um) = (micron)
}

PARAMETER {
    gkbar = 0.75 (pS/um2)
    gamma = 200 (pS) : a cluster of channels that opens as one
    deterministic = 0 : non-zero: the mean of very many channels
    tha = -45 (mV)
    qa = 3 (mV)
    Ra = 0.0005 (/ms)
    Rb = 0.0005 (/ms)
    q10 = 2.3
    temp = 23 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    dt (ms)
    area (um2)
    celsius (degC)
    ik (mA/cm2)
    gk (pS/um2)
    a b tadj
    N N1
    rng
}

STATE { n }

VERBATIM
#include <stdlib.h>
#include <math.h>

double nrn_random_pick(void* r);
void* nrn_random_arg(int argpos);

ENDVERBATIM

INITIAL {
    rates(v)
    n = a/(a + b)
    N = floor(gkbar*area/gamma + 0.5)
    N1 = floor(n*N + 0.5)
}

BREAKPOINT {
    SOLVE advance
    if (deterministic) {
        gk = gkbar*n*tadj
    } else {
        gk = N1*gamma/area*tadj
    }
    ik = 1e-4*gk*(v - ek)
}

PROCEDURE advance() {
    LOCAL opening, closing
    rates(v)
    if (deterministic) {
        n = n + (1 - exp(-(a + b)*dt))*(a/(a + b) - n)
    } else {
        opening = binomial(1 - exp(-a*dt), N - N1)
        closing = binomial(1 - exp(-b*dt), N1)
        N1 = N1 + opening - closing
        if (N > 0) { n = N1/N }
    }
}

PROCEDURE rates(v (mV)) {
    UNITSOFF
    tadj = q10^((celsius - temp)/10)
    a = tadj*Ra*linoid(v - tha, qa)
    b = tadj*Rb*linoid(tha - v, qa)
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

: how many of `trials` channels move, each with probability p
FUNCTION binomial(p, trials) {
VERBATIM
    int i;
    double moved = 0.;
    for (i = 0; i < (int) _ltrials; ++i) {
        if (nrn_random_pick(_p_rng) < _lp) {
            moved += 1.;
        }
    }
    return moved;
ENDVERBATIM
    binomial = 0
}

: hand over a HOC Random that draws uniformly from 0 to 1
PROCEDURE setRNG() {
VERBATIM
    {
        void** pv = (void**)(&_p_rng);
        if (ifarg(1)) {
            *pv = nrn_random_arg(1);
        } else {
            *pv = (void*)0;
        }
    }
ENDVERBATIM
}
