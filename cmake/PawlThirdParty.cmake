# Every outside library, once, under a name of ours. Versions and reasons: docs/dependencies.md.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
set(Boost_NO_WARN_NEW_VERSIONS ON)
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS system json url)
find_package(fmt REQUIRED)

pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(onig REQUIRED IMPORTED_TARGET oniguruma)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(openssl REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(libxml REQUIRED IMPORTED_TARGET libxml-2.0)
pkg_check_modules(gumbo REQUIRED IMPORTED_TARGET gumbo)
pkg_check_modules(libarchive REQUIRED IMPORTED_TARGET libarchive)

# One definition set for Asio and Beast in every translation unit, or the program breaks the one-definition rule.
add_library(pawl_asio INTERFACE)
target_compile_definitions(pawl_asio INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED)
if(PAWL_SANITIZE STREQUAL "thread")
  target_compile_definitions(pawl_asio INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
target_link_libraries(pawl_asio INTERFACE Boost::headers Boost::system PkgConfig::openssl Threads::Threads)
