// One outbound request on curl's thread: its options, its callbacks, its redirects. Knows nothing of the multi handle.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "net/curl_outbound.hpp"
#include "net/detail/kept_sockets.hpp"
#include "net/detail/url.hpp"
#include "net/host_breakers.hpp"
#include "net/outbound.hpp"

namespace pawl::net::detail {

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
using EasyHandle = std::unique_ptr<CURL, FreeEasy>;
struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using FieldList = std::unique_ptr<curl_slist, FreeList>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Transfer {
 public:
  Transfer(RequestHandle handle, OutboundRequest request, Outbound::Done done, const CurlOptions& options, HostBreakers& breakers,
           KeptSockets& kept);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  const RequestHandle handle;
  Outbound::Done done;

  [[nodiscard]] SteadyTime deadline() const noexcept { return deadline_; }
  [[nodiscard]] CURL* easy() const noexcept { return easy_.get(); }

  /// Checks the request and prepares the first hop on `easy`. On success the handle is ready for the multi.
  [[nodiscard]] Result<void> prepare(EasyHandle easy);
  /// The hop has ended. Nothing: another hop is prepared, add the handle again. Else the final answer.
  [[nodiscard]] std::optional<Result<OutboundResponse>> hop_ended(CURLcode code);
  [[nodiscard]] bool limits_silence() const noexcept {
    return request_.first_byte_timeout.count() > 0 || request_.idle_timeout.count() > 0;
  }
  /// When the answer will have been silent for too long; nothing while there is no limit.
  [[nodiscard]] std::optional<SteadyTime> quiet_until() const noexcept;
  /// The silence was too long: what `done` is to hear.
  [[nodiscard]] Error gone_quiet();
  /// Gives the handle back for reuse.
  [[nodiscard]] EasyHandle release() noexcept;

 private:
  [[nodiscard]] Result<void> prepare_hop();
  [[nodiscard]] Result<void> check_fields() const;
  [[nodiscard]] FieldList make_fields(const Url& url) const;
  void set_method();
  void set_credentials();
  [[nodiscard]] std::optional<Result<void>> follow_redirect();
  [[nodiscard]] Error error_of(CURLcode code) const;
  void report(CURLcode code);

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static int on_connection(void* self, char* peer, char* local, int peer_port, int local_port) noexcept;
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;
  static int on_close_socket(void* kept, curl_socket_t socket) noexcept;

  const CurlOptions& options_;
  HostBreakers& breakers_;
  KeptSockets& kept_;
  OutboundRequest request_;
  SteadyTime began_;
  SteadyTime deadline_;
  EasyHandle easy_;

  // The hop.
  Url url_;              ///< as the caller would write it
  bool mapped_ = false;  ///< goes elsewhere by the host map
  bool has_body_ = false;
  bool foreign_ = false;  ///< left the origin that the credentials are for
  int redirects_ = 0;
  std::vector<curl_socket_t> opened_;  ///< no request has gone out on them yet; some may be closed again
  bool unclean_ = false;               ///< libcurl chose a kept connection that must not be used: the hop goes out on a new one
  bool renewed_ = false;               ///< that has happened to this hop
  FieldList fields_;
  HostBreakers::Permit permit_;  ///< of the place that the hop goes to
  SteadyTime hop_began_;
  char message_[CURL_ERROR_SIZE] = {};

  // What came back.
  OutboundResponse response_;
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  std::optional<SteadyTime> last_byte_;
  bool too_large_ = false;
  std::string refused_address_;
};

}  // namespace pawl::net::detail
