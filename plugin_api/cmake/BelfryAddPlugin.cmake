# SPDX-License-Identifier: Apache-2.0
# belfry_add_plugin(name SOURCES … [LINK …] MANIFEST name.json): a plugin as the host wants it: one exported symbol, everything else
# hidden, no undefined symbols, never unloaded; the manifest is copied next to it. Works in this tree and outside of it.
set(BELFRY_PLUGIN_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")

function(belfry_add_plugin name)
    cmake_parse_arguments(arg "" "MANIFEST" "SOURCES;LINK" ${ARGN})
    if(NOT arg_MANIFEST)
        message(FATAL_ERROR "belfry_add_plugin(${name}): MANIFEST is missing; every plugin ships a JSON manifest next to its .so")
    endif()
    if(NOT BELFRY_PLUGIN_OUTPUT_DIR)
        set(BELFRY_PLUGIN_OUTPUT_DIR "${CMAKE_BINARY_DIR}/plugins")
    endif()
    add_library(${name} MODULE ${arg_SOURCES})
    set_target_properties(${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON LIBRARY_OUTPUT_DIRECTORY "${BELFRY_PLUGIN_OUTPUT_DIR}"
        LINK_DEPENDS "${BELFRY_PLUGIN_CMAKE_DIR}/plugin.map")
    target_link_libraries(${name} PRIVATE belfry::plugin_api ${arg_LINK})
    target_link_options(${name} PRIVATE -Wl,--version-script=${BELFRY_PLUGIN_CMAKE_DIR}/plugin.map
        -Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete -Wl,-z,noexecstack -Wl,--exclude-libs,ALL -Wl,-Bsymbolic)
    get_filename_component(manifest "${arg_MANIFEST}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    set(copied "${BELFRY_PLUGIN_OUTPUT_DIR}/${name}.json")
    add_custom_command(OUTPUT "${copied}" COMMAND "${CMAKE_COMMAND}" -E copy "${manifest}" "${copied}" DEPENDS "${manifest}" VERBATIM)
    add_custom_target(${name}_manifest ALL DEPENDS "${copied}")
    add_dependencies(${name} ${name}_manifest)
endfunction()
