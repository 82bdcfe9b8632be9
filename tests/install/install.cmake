# SPDX-License-Identifier: Apache-2.0
# Installs the plugin package into a fresh prefix and builds plugins outside of the tree with it: by find_package, and in plain C by
# pkg-config. Variables: BUILD, WORK, SOURCE (this folder), LIBDIR, CC, CXX.
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(failed)
        string(JOIN " " command ${ARGN})
        message(FATAL_ERROR "failed: ${command}\n${said}")
    endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(prefix "${WORK}/prefix")
run(${CMAKE_COMMAND} --install "${BUILD}" --component plugin_api --prefix "${prefix}")
set(examples "${prefix}/share/belfry/examples")

run(${CMAKE_COMMAND} -S "${SOURCE}/outside" -B "${WORK}/outside" -G Ninja -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_CXX_COMPILER=${CXX} -DEXAMPLES=${examples})
run(${CMAKE_COMMAND} --build "${WORK}/outside" -j2)

# The prefix in the .pc file is the configured one; this test installed elsewhere.
set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
execute_process(COMMAND pkg-config --define-variable=prefix=${prefix} --cflags --libs belfry-plugin
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")
run(${CC} -std=c99 -pedantic-errors -Wall -Wextra -Werror -O2 -shared "${examples}/minimal_provider.c" -o "${WORK}/minimal.so" ${flags})
file(COPY "${examples}/minimal.json" DESTINATION "${WORK}")
foreach(plugin hello every_kind)
    file(COPY "${WORK}/outside/plugins/${plugin}.so" "${WORK}/outside/plugins/${plugin}.json" DESTINATION "${WORK}")
endforeach()

# Every plugin exports its entry function and nothing else.
foreach(plugin minimal hello every_kind)
    execute_process(COMMAND nm -D --defined-only "${WORK}/${plugin}.so" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
    if(NOT symbols MATCHES "^[0-9a-f]+ T belfry_plugin_main_draft$")
        message(FATAL_ERROR "${plugin}.so exports more or less than its entry: ${symbols}")
    endif()
endforeach()
