TITLE AMPA and NMDA receptors with random release and short-term plasticity

COMMENT
One vesicle, two states (ready, empty).  At a presynaptic spike the utilisation u facilitates
(time constant Fac); an empty site has become ready again with probability 1 - exp(-t/Dep);
a ready one releases with probability u and is empty then.  The mean over trials is the
deterministic synapse of Tsodyks and Markram (1997), PNAS 94:719-723, in the notation of
Fuhrmann et al. (2002), J. Neurophysiology 87:140-148.
Magnesium block: Jahr and Stevens (1990), J. Neuroscience 10:1830-1837.
Part of a synthetic me-type package: written for it, with equations from the literature.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS ProbAMPANMDA_EMS
    RANGE tau_r_AMPA, tau_d_AMPA, tau_r_NMDA, tau_d_NMDA
    RANGE Use, Dep, Fac, u0, u, Rstate, tsyn_fac
    RANGE i, i_AMPA, i_NMDA, g, g_AMPA, g_NMDA
    RANGE e, NMDA_ratio, mg
    RANGE A_AMPA_step, B_AMPA_step, A_NMDA_step, B_NMDA_step
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
    tau_r_AMPA = 0.2 (ms)
    tau_d_AMPA = 1.7 (ms)
    tau_r_NMDA = 0.29 (ms)
    tau_d_NMDA = 43 (ms)
    Use = 1 (1)
    Dep = 100 (ms)
    Fac = 10 (ms)
    u0 = 0 (1)
    e = 0 (mV)
    mg = 1 (mM)
    NMDA_ratio = 0.71 (1)
    gmax = 0.001 (uS) : weights are in nS
    synapseID = 0
    verboseLevel = 0
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    i_AMPA (nA)
    i_NMDA (nA)
    g (uS)
    g_AMPA (uS)
    g_NMDA (uS)
    factor_AMPA
    factor_NMDA
    A_AMPA_step
    B_AMPA_step
    A_NMDA_step
    B_NMDA_step
    u (1)
    Rstate (1) : 1 ready, 0 empty
    tsyn_fac (ms) : time of the last presynaptic spike
    mggate
    rng
}

STATE { A_AMPA B_AMPA A_NMDA B_NMDA }

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
    A_AMPA = 0
    B_AMPA = 0
    A_NMDA = 0
    B_NMDA = 0
    factor_AMPA = peak_factor(tau_r_AMPA, tau_d_AMPA)
    factor_NMDA = peak_factor(tau_r_NMDA, tau_d_NMDA)
    A_AMPA_step = exp(-dt/tau_r_AMPA)
    B_AMPA_step = exp(-dt/tau_d_AMPA)
    A_NMDA_step = exp(-dt/tau_r_NMDA)
    B_NMDA_step = exp(-dt/tau_d_NMDA)
}

BREAKPOINT {
    SOLVE advance
    mggate = 1/(1 + exp(-0.062(/mV)*v)*(mg/3.57(mM)))
    g_AMPA = gmax*(B_AMPA - A_AMPA)
    g_NMDA = gmax*(B_NMDA - A_NMDA)*mggate
    g = g_AMPA + g_NMDA
    i_AMPA = g_AMPA*(v - e)
    i_NMDA = g_NMDA*(v - e)
    i = i_AMPA + i_NMDA
}

: exact decay over one fixed step
PROCEDURE advance() {
    A_AMPA = A_AMPA*A_AMPA_step
    B_AMPA = B_AMPA*B_AMPA_step
    A_NMDA = A_NMDA*A_NMDA_step
    B_NMDA = B_NMDA*B_NMDA_step
}

: makes the conductance of one release peak at its weight
FUNCTION peak_factor(rise (ms), fall (ms)) {
    LOCAL peak
    peak = rise*fall/(fall - rise)*log(fall/rise)
    peak_factor = 1/(exp(-peak/fall) - exp(-peak/rise))
}

NET_RECEIVE (weight, weight_AMPA, weight_NMDA, Psurv, tsyn (ms)) {
    LOCAL draw
    INITIAL { tsyn = t }
    weight_AMPA = weight
    weight_NMDA = weight*NMDA_ratio

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
                A_AMPA = A_AMPA + weight_AMPA*factor_AMPA
                B_AMPA = B_AMPA + weight_AMPA*factor_AMPA
                A_NMDA = A_NMDA + weight_NMDA*factor_NMDA
                B_NMDA = B_NMDA + weight_NMDA*factor_NMDA
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
