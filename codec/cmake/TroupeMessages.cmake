# troupe_add_messages(<target> <file.capnp>... [IMPORT_DIRS <dirs>])
# Generates the structs and codecs of schemas and adds them to the target; one that does not exist becomes a static
# library. `#include "file.capnp.hpp"`: the path is that from the current source folder.

# Where `import "/troupe/troupe.capnp"` is found: beside this file in the sources, in the include folder when installed.
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/../schema)
  get_filename_component(TROUPE_SCHEMA_DIR ${CMAKE_CURRENT_LIST_DIR}/../schema ABSOLUTE)
else()
  set(TROUPE_SCHEMA_DIR ${TROUPE_INCLUDE_DIR})
endif()
set(TROUPE_SCHEMA_DIR ${TROUPE_SCHEMA_DIR} CACHE INTERNAL "")

function(troupe_add_messages target)
  cmake_parse_arguments(M "" "" "IMPORT_DIRS" ${ARGN})
  find_program(CAPNP_EXECUTABLE capnp REQUIRED)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}_messages)
  set(imports -I${TROUPE_SCHEMA_DIR})
  foreach(dir ${M_IMPORT_DIRS})
    list(APPEND imports -I${dir})
  endforeach()
  set(schemas "")
  foreach(file ${M_UNPARSED_ARGUMENTS})
    list(APPEND schemas ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  set(generated "")
  foreach(file ${M_UNPARSED_ARGUMENTS})
    add_custom_command(
      OUTPUT ${folder}/${file}.hpp ${folder}/${file}.codec.hpp ${folder}/${file}.cpp
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      COMMAND ${CMAKE_COMMAND} -E env TROUPE_SCHEMA_ROOT=${CMAKE_CURRENT_SOURCE_DIR}
        ${CAPNP_EXECUTABLE} compile ${imports} --src-prefix=${CMAKE_CURRENT_SOURCE_DIR}
        -o$<TARGET_FILE:troupe::capnpc-troupe>:${folder} ${CMAKE_CURRENT_SOURCE_DIR}/${file}
      DEPENDS ${schemas} ${TROUPE_SCHEMA_DIR}/troupe/troupe.capnp troupe::capnpc-troupe
      COMMENT "Generating messages of ${file}" VERBATIM)
    list(APPEND generated ${folder}/${file}.cpp)
  endforeach()
  if(NOT TARGET ${target})
    add_library(${target} STATIC)
  endif()
  target_sources(${target} PRIVATE ${generated})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${folder}>)
  target_link_libraries(${target} PUBLIC troupe::codec)
endfunction()
