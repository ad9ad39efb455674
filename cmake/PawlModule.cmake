# pawl_module(name [DATABASE_TESTS] [DEPS module...] [LIBS target...] [PRIVATE_LIBS target...] [ALONE file...])
#
# One folder below src/ is one static library `pawl_<name>` (slashes become underscores). DEPS are other modules of ours and are checked
# against the layer table; LIBS are outside libraries whose headers our public headers need; PRIVATE_LIBS are seen by .cpp files only.
# `*_test.cpp` beside the code becomes the test program `pawl_<name>_test`; with DATABASE_TESTS it runs a second time, on PostgreSQL
# (storage/testing/test_database.hpp), and is skipped where none is given. ALONE are sources that are never compiled together with others.
#
# Each module also gets `pawl_<name>_link_test` (target group `link_tests`): an empty program that takes the module as whole archive and
# nothing but what it declares, so that a call into an undeclared module is an unresolved symbol. Its public headers are a file set: the
# target `all_verify_interface_header_sets` compiles each of them alone. `pawl_write_modules()` exports the declarations for scripts/lint.

set(PAWL_LAYER_base 0)
set(PAWL_LAYER_json 0)
set(PAWL_LAYER_crypto 0)
set(PAWL_LAYER_config 0)
set(PAWL_LAYER_async 1)
set(PAWL_LAYER_observe 1)
set(PAWL_LAYER_http 1)
set(PAWL_LAYER_net 1)
set(PAWL_LAYER_limits 1)
set(PAWL_LAYER_storage 1)
set(PAWL_LAYER_web 1)
set(PAWL_LAYER_yaml 2)
set(PAWL_LAYER_jq 2)
set(PAWL_LAYER_dsl 2)
set(PAWL_LAYER_audit 3)
set(PAWL_LAYER_privacy 3)
set(PAWL_LAYER_mail 3)
set(PAWL_LAYER_identity 3)
set(PAWL_LAYER_notify 3)
set(PAWL_LAYER_engine_machine 3)
set(PAWL_LAYER_engine 3)
set(PAWL_LAYER_functions 3)
set(PAWL_LAYER_models 3)
set(PAWL_LAYER_integrations 3)
set(PAWL_LAYER_catalog 3)
set(PAWL_LAYER_live 3)
set(PAWL_LAYER_agents 3)
set(PAWL_LAYER_mcp 3)
set(PAWL_LAYER_bench 4)
set(PAWL_LAYER_api 4)
set(PAWL_LAYER_app 5)
# The pure modules: nothing with I/O, clock, thread or randomness may be named, whatever its layer.
set(PAWL_PURE_DEPS_yaml base json)
set(PAWL_PURE_DEPS_jq base json)
set(PAWL_PURE_DEPS_dsl base json yaml jq)
set(PAWL_PURE_DEPS_engine_machine base json jq dsl)

function(pawl_module name)
  cmake_parse_arguments(ARG "DATABASE_TESTS" "" "DEPS;LIBS;PRIVATE_LIBS;ALONE" ${ARGN})
  string(REPLACE "/" "_" id ${name})
  if(NOT DEFINED PAWL_LAYER_${id})
    message(FATAL_ERROR "module ${name} has no layer in PawlModule.cmake")
  endif()
  foreach(dep IN LISTS ARG_DEPS)
    string(REPLACE "/" "_" dep_id ${dep})
    if(NOT TARGET pawl_${dep_id})
      message(FATAL_ERROR "module ${name} depends on ${dep}, which does not stand before it in src/CMakeLists.txt")
    endif()
    if(PAWL_LAYER_${dep_id} GREATER PAWL_LAYER_${id})
      message(FATAL_ERROR "module ${name} (layer ${PAWL_LAYER_${id}}) may not use ${dep} (layer ${PAWL_LAYER_${dep_id}})")
    endif()
    if(DEFINED PAWL_PURE_DEPS_${id} AND NOT dep IN_LIST PAWL_PURE_DEPS_${id})
      message(FATAL_ERROR "module ${name} is pure and may only use: ${PAWL_PURE_DEPS_${id}}")
    endif()
  endforeach()

  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/detail/*.cpp
    ${CMAKE_CURRENT_SOURCE_DIR}/routes/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")

  pawl_group_sources(sources ${id} ALONE ${ARG_ALONE} FILES ${sources})
  add_library(pawl_${id} STATIC ${sources})
  target_include_directories(pawl_${id} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  if(headers)
    target_sources(pawl_${id} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${headers})
    set_target_properties(pawl_${id} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
  list(TRANSFORM ARG_DEPS REPLACE "/" "_")
  list(TRANSFORM ARG_DEPS PREPEND pawl_ OUTPUT_VARIABLE dep_targets)
  target_link_libraries(pawl_${id} PUBLIC ${dep_targets} ${ARG_LIBS} PRIVATE pawl_warnings ${ARG_PRIVATE_LIBS})
  set_property(GLOBAL APPEND PROPERTY PAWL_MODULES ${id})
  set_property(GLOBAL PROPERTY PAWL_DEPS_${id} "${ARG_DEPS}")
  set_property(GLOBAL PROPERTY PAWL_FOLDER_${id} "${name}")
  set(purity "-")
  if(DEFINED PAWL_PURE_DEPS_${id})
    set(purity "pure")
  endif()
  set_property(GLOBAL PROPERTY PAWL_KIND_${id} "${PAWL_LAYER_${id}} ${purity}")

  if(PAWL_TESTS)
    pawl_link_test(${id})
  endif()

  if(tests AND PAWL_TESTS AND NOT PAWL_SANITIZE STREQUAL "fuzzer")
    find_package(GTest REQUIRED)
    include(GoogleTest)
    pawl_group_sources(tests ${id}_test ALONE ${ARG_ALONE} FILES ${tests})
    add_executable(pawl_${id}_test ${tests})
    target_link_libraries(pawl_${id}_test PRIVATE pawl_${id} pawl_warnings ${ARG_PRIVATE_LIBS} GTest::gmock_main)
    if(TARGET pawl_storage_testing)
      target_link_libraries(pawl_${id}_test PRIVATE pawl_storage_testing)
    endif()
    set_target_properties(pawl_${id}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
      # What is measured and shipped is the module; optimizing the tests themselves doubles the time that they take to compile.
      target_compile_options(pawl_${id}_test PRIVATE -O0 -U_FORTIFY_SOURCE)
    endif()
    # One ctest entry per program: hundreds of processes would cost more than the tests themselves.
    add_test(NAME ${id} COMMAND pawl_${id}_test)
    set_tests_properties(${id} PROPERTIES TIMEOUT 900
      ENVIRONMENT "GTEST_SHUFFLE=1;PAWL_SOURCE_DIR=${PROJECT_SOURCE_DIR};PAWL_SHARED_DIR=${PROJECT_SOURCE_DIR}/../shared;\
PAWL_BINARY_DIR=${PROJECT_BINARY_DIR}")
    if(ARG_DATABASE_TESTS)
      pawl_database_test(${id} $<TARGET_FILE:pawl_${id}_test>)
    endif()
  endif()
endfunction()

# Runs a test command again as `<name>_postgresql`.
function(pawl_database_test name)
  add_test(NAME ${name}_postgresql COMMAND sh -c
    "test -n \"$PAWL_TEST_DATABASE_URL\" || { \
echo 'SKIPPED: PAWL_TEST_DATABASE_URL is not set; scripts/services starts one' >&2; exit 77; }; exec \"$0\" \"$@\""
    ${ARGN})
  set_tests_properties(${name}_postgresql PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77
    ENVIRONMENT "GTEST_SHUFFLE=1;PAWL_TEST_BACKEND=postgresql;\
PAWL_SOURCE_DIR=${PROJECT_SOURCE_DIR};PAWL_SHARED_DIR=${PROJECT_SOURCE_DIR}/../shared;\
PAWL_BINARY_DIR=${PROJECT_BINARY_DIR};PAWL_BINARY=${PROJECT_BINARY_DIR}/pawl;PYTHONDONTWRITEBYTECODE=1")
endfunction()

function(pawl_link_test id)
  if(NOT TARGET link_tests)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/link_test.cpp CONTENT "int main() {}\n")
    add_custom_target(link_tests)
  endif()
  add_executable(pawl_${id}_link_test EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/link_test.cpp)
  target_link_libraries(pawl_${id}_link_test PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,pawl_${id}>)
  set_target_properties(pawl_${id}_link_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/link_tests)
  add_dependencies(link_tests pawl_${id}_link_test)
endfunction()

# build/<preset>/modules.txt, one module a line: folder, layer, "pure" or "-", and the folders it may use.
function(pawl_write_modules)
  get_property(ids GLOBAL PROPERTY PAWL_MODULES)
  set(text "")
  foreach(id IN LISTS ids)
    get_property(folder GLOBAL PROPERTY PAWL_FOLDER_${id})
    get_property(dep_ids GLOBAL PROPERTY PAWL_DEPS_${id})
    get_property(kind GLOBAL PROPERTY PAWL_KIND_${id})
    set(dep_folders "")
    foreach(dep_id IN LISTS dep_ids)
      get_property(dep_folder GLOBAL PROPERTY PAWL_FOLDER_${dep_id})
      list(APPEND dep_folders ${dep_folder})
    endforeach()
    list(JOIN dep_folders " " dep_text)
    string(APPEND text "${folder} ${kind} ${dep_text}\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/modules.txt CONTENT "${text}")
endfunction()
