# SPDX-License-Identifier: GPL-3.0-or-later
# Tests that are not one unit program a file.

if(TARGET sim)
    # Each scenario stops starting seeds after its budget, so that the sum stays bounded on slow builds.
    add_test(NAME sim.smoke COMMAND sim --seeds 1..40 --budget 8s)
    set_tests_properties(sim.smoke PROPERTIES TIMEOUT 300 LABELS sim)
endif()
