# pawl_embed(target function namespace header FOLDER folder [WHEN ON|OFF] [FILES file...] [DEPENDS file...])
#
# Puts the files of a folder into a target, as constant data with media types, tags and compressed forms (web/embedded.hpp). `header`
# declares `std::span<const web::EmbeddedFile> function()` in `namespace`. With WHEN OFF the function gives no files. FILES are watched for
# changes; DEPENDS are what else has to be made before.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(PAWL_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed.py)

function(pawl_embed target function namespace header)
  cmake_parse_arguments(ARG "" "FOLDER;WHEN" "FILES;DEPENDS" ${ARGN})
  set(folder ${ARG_FOLDER})
  if(DEFINED ARG_WHEN AND NOT ARG_WHEN)
    set(folder "")
    set(ARG_DEPENDS "")
  endif()
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${Python3_EXECUTABLE} ${PAWL_EMBED_SCRIPT} ${output} ${function} ${namespace} ${header} "${folder}"
    DEPENDS ${PAWL_EMBED_SCRIPT} ${ARG_FILES} ${ARG_DEPENDS}
    COMMENT "" VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
