# SPDX-License-Identifier: GPL-3.0-or-later
# Tests that are not one unit program a file.

if(TARGET sim)
    if(ISOPOD_FAULT_POINTS)
        # The simulation build (preset sim): many seeds. A scenario stops after its budget, so that slow machines
        # run fewer seeds, not longer; but never fewer than it says. What was run is added up at the end.
        set(record ${CMAKE_BINARY_DIR}/simulated)
        add_test(NAME sim.record COMMAND sh -c "rm -rf ${record} && mkdir ${record}")
        set_tests_properties(sim.record PROPERTIES FIXTURES_SETUP record LABELS seeds)
        set(seeded)
        function(isopod_seeds name)
            add_test(NAME sim.${name} COMMAND sim ${ARGN} --record ${record})
            set_tests_properties(sim.${name} PROPERTIES TIMEOUT 900 LABELS seeds FIXTURES_REQUIRED record)
            set(seeded ${seeded} sim.${name} PARENT_SCOPE)
        endfunction()
        add_test(NAME sim.driver COMMAND ${CMAKE_SOURCE_DIR}/tests/sim/test_driver $<TARGET_FILE:sim>)
        set_tests_properties(sim.driver PROPERTIES TIMEOUT 120 LABELS seeds)
        isopod_seeds(single --scenario single --seeds 1..6000 --least 6000 --budget 80s)
        isopod_seeds(cluster --scenario cluster --seeds 1..3000 --least 2000 --budget 100s)
        # With the limits that it must keep; a thousand losses: bench/leader_loss alone.
        add_test(NAME sim.leader_loss COMMAND ${CMAKE_SOURCE_DIR}/bench/leader_loss --losses 75 --jobs 1
            --sim $<TARGET_FILE:sim>)
        set_tests_properties(sim.leader_loss PROPERTIES TIMEOUT 900 LABELS seeds)
        isopod_seeds(pcr --scenario pcr --seeds 1..400 --least 250 --budget 60s)
        isopod_seeds(pcr_nodes --scenario pcr_nodes --seeds 1..400 --least 200 --budget 100s)
        isopod_seeds(sql --scenario sql --seeds 1..1500 --least 1000 --budget 40s)
        isopod_seeds(sql_nodes --scenario sql_nodes --seeds 1..1000 --least 500 --budget 80s)
        isopod_seeds(sql_oracle --scenario sql_oracle --seeds 1..300 --least 120 --budget 20s)
        isopod_seeds(rpc --scenario rpc --seeds 1..1000 --least 600 --budget 40s)
        isopod_seeds(overload --scenario overload --seeds 1..60 --least 12 --budget 12s)
        isopod_seeds(tenants --scenario tenants --seeds 1..200 --least 60 --budget 15s)
        isopod_seeds(kv_txn --scenario kv_txn --seeds 1..400 --budget 15s)
        isopod_seeds(kv_split --scenario kv_split --seeds 1..200 --budget 5s)
        isopod_seeds(net --scenario net --seeds 1..400 --budget 5s)
        isopod_seeds(log --scenario log --seeds 1..100 --budget 10s)
        isopod_seeds(raft --scenario raft --seeds 1..10000 --budget 30s)
        isopod_seeds(cases --cases --seeds 1..5)
        isopod_seeds(crashes --scenario kv_recovery --exhaustive --seeds 1..2000 --replay-every 100 --least 2000)
        isopod_seeds(recovery --scenario kv_recovery --seeds 1..200 --budget 60s)
        add_test(NAME sim.summary COMMAND ${CMAKE_SOURCE_DIR}/tests/sim/summary ${record})
        set_tests_properties(sim.summary PROPERTIES TIMEOUT 60 LABELS seeds DEPENDS "${seeded}" FIXTURES_REQUIRED record)
    else()
        # Each scenario stops starting seeds after its budget, so that the sum stays bounded on slow builds.
        add_test(NAME sim.smoke COMMAND sim --seeds 1..40 --budget 8s)
        set_tests_properties(sim.smoke PROPERTIES TIMEOUT 300 LABELS sim)
    endif()
endif()

# Real processes and clients, against the program that ISOPOD names (tools/test: the release build's).
file(GLOB INTEGRATION CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/integration/test_*.py)
foreach(test ${INTEGRATION})
    get_filename_component(name ${test} NAME_WE)
    string(REPLACE "test_" "" name ${name})
    add_test(NAME integration.${name} COMMAND /usr/bin/python3 -m unittest -v ${test}
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests/integration)
    set_tests_properties(integration.${name} PROPERTIES TIMEOUT 1200 LABELS integration)
endforeach()

# The rules that a compiler does not know: layers, licence lines, what belongs to core.
add_test(NAME lint COMMAND ${CMAKE_SOURCE_DIR}/tools/lint)
# The product as a newcomer meets it.
add_test(NAME integration.demo COMMAND ${CMAKE_SOURCE_DIR}/tools/demo --non-interactive)
set_tests_properties(integration.demo PROPERTIES TIMEOUT 600 LABELS integration)
