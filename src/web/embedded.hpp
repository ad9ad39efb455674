/// Files that were put into the program when it was built (`pawl_embed` in cmake/PawlEmbed.cmake), and how they are sent.
///
///     const auto* file = find(embedded_interface(), "assets/index-4f2a.js");
///     responder.send(respond(*file, request));
///
/// Everything here is constant data of the program: any thread, no lock.
#pragma once

#include <span>
#include <string_view>

#include "http/request.hpp"
#include "http/response.hpp"

namespace pawl::web {

struct EmbeddedFile {
  std::string_view path;  ///< within its folder, `assets/index-4f2a.js`
  std::string_view type;  ///< media type
  std::string_view tag;   ///< of the content, without quotes
  std::string_view plain;
  std::string_view gzip;    ///< empty where it would not be smaller
  std::string_view brotli;  ///< the same
  bool hashed = false;      ///< the name says which content it is: it may be kept for ever
};

/// Null where there is no such file. `files` is sorted by path, as `pawl_embed` makes it.
[[nodiscard]] const EmbeddedFile* find(std::span<const EmbeddedFile> files, std::string_view path);

/// The smallest form that the request accepts; 304 where it has this content already. Sets no Content-Security-Policy.
[[nodiscard]] http::Response respond(const EmbeddedFile& file, const http::Request& request);

/// What `Accept-Encoding` says about one coding: not mentioned is no, `;q=0` is no, `*` is for those that are not mentioned.
[[nodiscard]] bool accepts(std::string_view accept_encoding, std::string_view coding);

}  // namespace pawl::web
