/// CloudEvents 1.0 over HTTP: structured (`application/cloudevents+json`) and binary (`ce-` header fields) mode.
#pragma once

#include "base/error.hpp"
#include "http/request.hpp"
#include "json/value.hpp"

namespace pawl::api {

/// The event in its structured JSON form. Errors: `request.malformed` (400), `event.invalid` (422, all findings), `request.media_type`
/// (415; batches are not taken).
[[nodiscard]] Result<json::Value> read_cloud_event(const http::Request& request);

}  // namespace pawl::api
