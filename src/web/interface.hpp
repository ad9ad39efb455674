/// The web interface (folder `web/` of the project), served from within the program.
///
///     web::add_interface(router, "0.1.0");
///
/// `/` and the addresses of its pages get `index.html`; the page decides in the browser what it shows. Everything that it loads lies under
/// `/assets`, by names that change with the content. The policy sent with the page lets it load, run and call this origin only; styles
/// that its editor makes need the nonce that is new with each reply.
///
/// A program built with `-DPAWL_WEB=OFF` has no interface, and says so at `/`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/router.hpp"
#include "web/embedded.hpp"

namespace pawl::web {

void add_interface(http::Router& router, std::string version);

/// First segments of the pages' addresses: what a reload or a bookmark may ask the server for.
[[nodiscard]] std::span<const std::string_view> page_addresses();

}  // namespace pawl::web
