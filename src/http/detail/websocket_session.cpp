#include "http/detail/websocket_session.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "http/detail/websocket_queue.hpp"

namespace pawl::http::detail {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using std::chrono::steady_clock;
using error_code = boost::system::error_code;

namespace {

constexpr std::size_t kKeepInputUpTo = 16 * 1024;
constexpr std::size_t kMostReasonBytes = 123;

/// One reader and one writer over Beast's stream. Beast answers pings and closes, refuses malformed frames (1002), text that is not UTF-8
/// (1007) and messages beyond the limit (1009), and pings a silent client.
class BeastSession final : public WebSocketSession, public std::enable_shared_from_this<BeastSession> {
 public:
  BeastSession(std::shared_ptr<ServerState> state, Shard& shard, Socket socket, Handshake handshake, WebSocketUpgrade upgrade,
               std::function<void(bool)> on_end)
      : state_(std::move(state)),
        shard_(shard),
        handshake_(std::move(handshake)),
        options_(std::move(upgrade.options)),
        opened_(std::move(upgrade.opened)),
        on_end_(std::move(on_end)),
        stream_(std::move(socket)) {}

  void start() override {
    queue_ = std::make_shared<WebSocketQueue>(state_->threads, shard_.index, options_.queue_bytes, weak_from_this());
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = options_.close_timeout;
    timeouts.idle_timeout = options_.idle_timeout;
    timeouts.keep_alive_pings = true;
    stream_.set_option(timeouts);
    stream_.set_option(websocket::stream_base::decorator([this](websocket::response_type& response) { decorate(response); }));
    stream_.read_message_max(options_.max_message_bytes);
    stream_.auto_fragment(false);
    stream_.text(true);
    request_.method(beast::http::verb::get);
    request_.version(11);
    request_.target(handshake_.target);
    request_.set(beast::http::field::host, handshake_.host);
    request_.set(beast::http::field::connection, "upgrade");
    request_.set(beast::http::field::upgrade, "websocket");
    request_.set(beast::http::field::sec_websocket_version, "13");
    request_.set(beast::http::field::sec_websocket_key, handshake_.key);
    stream_.async_accept(request_, [self = shared_from_this()](error_code failure) { self->accepted(failure); });
  }

  void wake() override {
    if (ended_ || !is_open_) return;
    if (writing_) {
      // It does not take what it was sent: why wait long for it to take the rest?
      if (queue_->overflowed()) deadline_ = std::min(deadline_, steady_clock::now() + options_.close_timeout);
      return;
    }
    write();
  }

  void check_deadline(SteadyTime now) override {
    if (now >= std::min(deadline_, message_deadline_)) finish();
  }

  void wind_down() override {
    if (!is_open_) return finish();
    queue_->close(CloseCode::restart, "the server is stopping");
  }

  void abort() override {
    on_end_ = nullptr;
    finish();
  }

 private:
  void decorate(websocket::response_type& response) const {
    response.set(beast::http::field::server, "pawl");  // else Beast names itself and its version
    response.set("X-Request-Id", handshake_.request_id);
    if (!options_.protocol.empty()) response.set(beast::http::field::sec_websocket_protocol, options_.protocol);
  }

  void accepted(error_code failure) {
    if (ended_) return;
    if (failure) return finish();
    is_open_ = true;
    const auto opened = std::exchange(opened_, nullptr);
    const bool fine = guarded([&] { opened(std::make_shared<WebSocketHandle>(queue_)); });
    if (!fine) queue_->close(CloseCode::internal, {});
    if (ended_) return;
    read();
    if (!writing_) write();
  }

  /// What there is of a message: Beast would wait for all of it as long as a byte comes now and then.
  void read() {
    stream_.async_read_some(input_, 0, [self = shared_from_this()](error_code failure, std::size_t) { self->received(failure); });
  }

  void received(error_code failure) {
    if (ended_) return;
    if (failure) {
      // Closed by the client, or refused and closed by Beast. A close of ours that is under way ends with it, and then finishes.
      if (!closing_) finish();
      return;
    }
    if (!stream_.is_message_done()) {
      if (message_deadline_ == SteadyTime::max()) message_deadline_ = steady_clock::now() + options_.idle_timeout;
      return read();
    }
    message_deadline_ = SteadyTime::max();
    if (!stream_.got_text()) {
      queue_->close(CloseCode::unsupported, "text messages only");
    } else if (!queue_->closed()) {
      const auto data = input_.cdata();
      const bool fine = guarded([&] { queue_->message({static_cast<const char*>(data.data()), data.size()}); });
      if (!fine) queue_->close(CloseCode::internal, {});
    }
    if (ended_) return;
    input_.clear();
    if (input_.capacity() > kKeepInputUpTo) input_ = beast::flat_buffer();
    read();
  }

  void write() {
    auto taken = queue_->take();
    if (taken.text) {
      writing_ = true;
      text_ = std::move(taken.text);
      deadline_ = steady_clock::now() + options_.write_timeout;
      stream_.async_write(asio::buffer(text_->data(), text_->size()),
                          [self = shared_from_this()](error_code failure, std::size_t) { self->wrote(failure); });
    } else if (taken.closing) {
      writing_ = closing_ = true;
      deadline_ = steady_clock::now() + options_.close_timeout;
      const auto reason = std::string_view(taken.closing->reason).substr(0, kMostReasonBytes);
      const websocket::close_reason why(static_cast<websocket::close_code>(taken.closing->code), {reason.data(), reason.size()});
      stream_.async_close(why, [self = shared_from_this()](error_code) { self->finish(); });
    }
  }

  void wrote(error_code failure) {
    writing_ = false;
    text_.reset();
    deadline_ = SteadyTime::max();
    if (ended_) return;
    if (!failure) return write();
    // Beast may be telling the client why it closes: the read fails when that is done, and ends the session.
    writing_ = true;
    deadline_ = steady_clock::now() + options_.close_timeout;
  }

  /// The panic barrier around what we call.
  template <class Call>
  [[nodiscard]] bool guarded(const Call& call) {
    std::string what;
    try {
      call();
      return true;
    } catch (const std::exception& failure) {
      what = failure.what();
    } catch (...) {
      what = "an exception that is not a std::exception";
    }
    if (state_->options.on_exception) state_->options.on_exception(handshake_.request_id, what);
    return false;
  }

  void finish() {
    if (std::exchange(ended_, true)) return;
    const auto self = shared_from_this();
    error_code ignored;
    beast::get_lowest_layer(stream_).close(ignored);
    queue_->ended();
    if (const auto on_end = std::exchange(on_end_, nullptr)) on_end(is_open_);
  }

  const std::shared_ptr<ServerState> state_;
  Shard& shard_;
  const Handshake handshake_;
  const WebSocketOptions options_;
  std::function<void(std::shared_ptr<WebSocket>)> opened_;
  std::function<void(bool)> on_end_;
  std::shared_ptr<WebSocketQueue> queue_;
  websocket::stream<Socket, false> stream_;
  beast::http::request<beast::http::empty_body> request_;
  beast::flat_buffer input_;
  WebSocket::Text text_;  ///< being written
  SteadyTime deadline_ = SteadyTime::max();
  SteadyTime message_deadline_ = SteadyTime::max();  ///< a message that has begun is whole by then
  bool is_open_ = false;
  bool writing_ = false;  ///< a message or our close is on its way
  bool closing_ = false;  ///< our close is
  bool ended_ = false;
};

}  // namespace

std::shared_ptr<WebSocketSession> make_websocket_session(const std::shared_ptr<ServerState>& state, Shard& shard, Socket socket,
                                                         Handshake handshake, WebSocketUpgrade upgrade,
                                                         std::function<void(bool opened)> on_end) {
  return std::make_shared<BeastSession>(state, shard, std::move(socket), std::move(handshake), std::move(upgrade), std::move(on_end));
}

}  // namespace pawl::http::detail
