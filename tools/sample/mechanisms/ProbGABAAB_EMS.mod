TITLE GABA-A and GABA-B receptors with random release and short-term plasticity

COMMENT
One vesicle, two states (ready, empty).  At a presynaptic spike the utilisation u facilitates
(time constant Fac); an empty site has become ready again with probability 1 - exp(-t/Dep);
a ready one releases with probability u and is empty then.  The mean over trials is the
deterministic synapse of Tsodyks and Markram (1997), PNAS 94:719-723, in the notation of
Fuhrmann et al. (2002), J. Neurophysiology 87:140-148.
GABA-A rises within a millisecond, GABA-B over several and lasts.
Part of a synthetic me-type package: written for it, with equations from the literature.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS ProbGABAAB_EMS
    RANGE tau_r_GABAA, tau_d_GABAA, tau_r_GABAB, tau_d_GABAB
    RANGE Use, Dep, Fac, u0, u, Rstate, tsyn_fac
    RANGE i, i_GABAA, i_GABAB, g, g_GABAA, g_GABAB
    RANGE e_GABAA, e_GABAB, GABAB_ratio
    RANGE A_GABAA_step, B_GABAA_step, A_GABAB_step, B_GABAB_step
    RANGE synapseID, verboseLevel
    NONSPECIFIC_CURRENT i
    POINTER rng
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
}

PARAMETER {
    tau_r_GABAA = 0.2 (ms)
    tau_d_GABAA = 8 (ms)
    tau_r_GABAB = 3.5 (ms)
    tau_d_GABAB = 260.9 (ms)
    Use = 1 (1)
    Dep = 100 (ms)
    Fac = 10 (ms)
    u0 = 0 (1)
    e_GABAA = -80 (mV)
    e_GABAB = -97 (mV)
    GABAB_ratio = 0 (1)
    gmax = 0.001 (uS) : weights are in nS
    synapseID = 0
    verboseLevel = 0
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    i_GABAA (nA)
    i_GABAB (nA)
    g (uS)
    g_GABAA (uS)
    g_GABAB (uS)
    factor_GABAA
    factor_GABAB
    A_GABAA_step
    B_GABAA_step
    A_GABAB_step
    B_GABAB_step
    u (1)
    Rstate (1) : 1 ready, 0 empty
    tsyn_fac (ms) : time of the last presynaptic spike
    rng
}

STATE { A_GABAA B_GABAA A_GABAB B_GABAB }

VERBATIM
#include <stdlib.h>
#include <stdio.h>
#include <math.h>

double nrn_random_pick(void* r);
void* nrn_random_arg(int argpos);

ENDVERBATIM

INITIAL {
    Rstate = 1
    tsyn_fac = 0
    u = u0
    A_GABAA = 0
    B_GABAA = 0
    A_GABAB = 0
    B_GABAB = 0
    factor_GABAA = peak_factor(tau_r_GABAA, tau_d_GABAA)
    factor_GABAB = peak_factor(tau_r_GABAB, tau_d_GABAB)
    A_GABAA_step = exp(-dt/tau_r_GABAA)
    B_GABAA_step = exp(-dt/tau_d_GABAA)
    A_GABAB_step = exp(-dt/tau_r_GABAB)
    B_GABAB_step = exp(-dt/tau_d_GABAB)
}

BREAKPOINT {
    SOLVE advance
    g_GABAA = gmax*(B_GABAA - A_GABAA)
    g_GABAB = gmax*(B_GABAB - A_GABAB)
    g = g_GABAA + g_GABAB
    i_GABAA = g_GABAA*(v - e_GABAA)
    i_GABAB = g_GABAB*(v - e_GABAB)
    i = i_GABAA + i_GABAB
}

: exact decay over one fixed step
PROCEDURE advance() {
    A_GABAA = A_GABAA*A_GABAA_step
    B_GABAA = B_GABAA*B_GABAA_step
    A_GABAB = A_GABAB*A_GABAB_step
    B_GABAB = B_GABAB*B_GABAB_step
}

: makes the conductance of one release peak at its weight
FUNCTION peak_factor(rise (ms), fall (ms)) {
    LOCAL peak
    peak = rise*fall/(fall - rise)*log(fall/rise)
    peak_factor = 1/(exp(-peak/fall) - exp(-peak/rise))
}

NET_RECEIVE (weight, weight_GABAA, weight_GABAB, Psurv, tsyn (ms)) {
    LOCAL draw
    INITIAL { tsyn = t }
    weight_GABAA = weight
    weight_GABAB = weight*GABAB_ratio

    if (weight > 0) { : a silent connection draws no random number
        if (Fac > 0) {
            u = u*exp(-(t - tsyn_fac)/Fac)
            u = u + Use*(1 - u)
        } else {
            u = Use
        }
        tsyn_fac = t

        if (Rstate == 0) {
            Psurv = exp(-(t - tsyn)/Dep)
            draw = urand()
            if (draw > Psurv) {
                Rstate = 1
            } else {
                tsyn = t
            }
        }

        if (Rstate == 1) {
            draw = urand()
            if (draw < u) {
                tsyn = t
                Rstate = 0
                A_GABAA = A_GABAA + weight_GABAA*factor_GABAA
                B_GABAA = B_GABAA + weight_GABAA*factor_GABAA
                A_GABAB = A_GABAB + weight_GABAB*factor_GABAB
                B_GABAB = B_GABAB + weight_GABAB*factor_GABAB
                if (verboseLevel > 0) {
                    printf("synapse %g releases at %g ms\n", synapseID, t)
                }
            } else if (verboseLevel > 0) {
                printf("synapse %g fails at %g ms\n", synapseID, t)
            }
        }
    }
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

: a stream of its own for each synapse, or the one all share when none was handed over
FUNCTION urand() {
VERBATIM
    double value;
    if (_p_rng) {
        value = nrn_random_pick(_p_rng);
        return value;
    } else {
ENDVERBATIM
        value = scop_random(1)
VERBATIM
    }
ENDVERBATIM
    urand = value
}

FUNCTION toggleVerbose() {
    verboseLevel = 1 - verboseLevel
}
