# What an installation consists of, and the Debian package of it: `scripts/package`. Debian's tools find the libraries that the program
# needs.
include(GNUInstallDirs)
# Packing packs what was built; it does not build the tests.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

install(TARGETS pawl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES packaging/pawl.service DESTINATION lib/systemd/system)
install(FILES packaging/pawl.conf .env.example packaging/nginx.conf README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.yaml")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pawl)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "Pawl")
set(CPACK_PACKAGE_CONTACT "The Pawl maintainers <maintainers@pawl.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "durable workflow engine with web interface")
set(CPACK_PACKAGE_DESCRIPTION
  "Workflows in YAML whose finished steps stay finished: engine, scheduler,\n HTTP API and web interface in one program.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates, tzdata, bubblewrap")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3, nodejs, postgresql-client, git")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nginx, postgresql, redis-server")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/deb/postinst ${PROJECT_SOURCE_DIR}/packaging/deb/prerm ${PROJECT_SOURCE_DIR}/packaging/deb/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
