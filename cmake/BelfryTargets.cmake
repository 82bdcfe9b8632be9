# SPDX-License-Identifier: Apache-2.0
# How our own targets are built: one warnings target, one way to declare a library, one way to declare a test.

add_library(belfry_build_flags INTERFACE)
target_compile_features(belfry_build_flags INTERFACE cxx_std_20 c_std_99)
target_compile_options(belfry_build_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wformat=2 -Wundef -Wimplicit-fallthrough
    $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wduplicated-cond -Wlogical-op>
    -fvisibility=hidden -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(BELFRY_WERROR)
    target_compile_options(belfry_build_flags INTERFACE -Werror)
endif()
if(BELFRY_SANITIZE)
    target_compile_options(belfry_build_flags INTERFACE -fsanitize=${BELFRY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(belfry_build_flags INTERFACE -fsanitize=${BELFRY_SANITIZE})
endif()

if(BELFRY_BUILD_FUZZ)
    target_compile_options(belfry_build_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# belfry_library(name SOURCES a.cpp … PUBLIC targets … PRIVATE targets …): static library belfry_<name>, alias belfry::<name>,
# included as "<folder>/file.h" from host/.
function(belfry_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(belfry_${name} STATIC ${arg_SOURCES})
    add_library(belfry::${name} ALIAS belfry_${name})
    set_target_properties(belfry_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_include_directories(belfry_${name} PUBLIC "${PROJECT_SOURCE_DIR}/host")
    target_link_libraries(belfry_${name} PUBLIC ${arg_PUBLIC} PRIVATE belfry_build_flags ${arg_PRIVATE})
endfunction()

# belfry_test(name [LABEL unit] SOURCES … LINK …): one GoogleTest program belfry_<name>; every case is its own ctest entry
# unless WHOLE is given. Labels: unit (no I/O beyond loopback, the whole tier < 10 s), conformance, integration, e2e, slow.
function(belfry_test name)
    if(NOT BELFRY_BUILD_TESTS)
        return()
    endif()
    cmake_parse_arguments(arg "WHOLE" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
    if(NOT arg_LABEL)
        set(arg_LABEL unit)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 180)  # for what hangs: a sanitizer on a busy machine is slow
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE belfry_build_flags GTest::gtest GTest::gtest_main ${arg_LINK})
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/host" "${PROJECT_SOURCE_DIR}/tests")
    # A test's own code is compiled often and runs briefly: optimising it would be half of a build's time.
    target_compile_options(${name} PRIVATE -O0)
    if(arg_WHOLE)
        add_test(NAME ${name} COMMAND ${name})
        set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
    else()
        include(GoogleTest)
        gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
            PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
    endif()
endfunction()
