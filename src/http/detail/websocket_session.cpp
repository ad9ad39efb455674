#include "http/detail/websocket_session.hpp"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/async_base.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "http/detail/frame_watch.hpp"
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

/// The socket, with somebody who sees what is read from it.
class WatchedSocket {
 public:
  using executor_type = Socket::executor_type;
  using next_layer_type = Socket;
  /// Called on the connection's thread with what has come.
  using Seen = std::function<void(std::string_view bytes)>;

  WatchedSocket(Socket socket, Seen seen) : socket_(std::move(socket)), seen_(std::move(seen)) {}

  executor_type get_executor() noexcept { return socket_.get_executor(); }
  next_layer_type& next_layer() noexcept { return socket_; }
  [[nodiscard]] const next_layer_type& next_layer() const noexcept { return socket_; }

  template <class Buffers, class Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(error_code, std::size_t)>(
        [this](auto&& completion, const Buffers& into) {
          using Completion = std::decay_t<decltype(completion)>;
          socket_.async_read_some(into, ReadOperation<Buffers, Completion>(*this, into, std::forward<decltype(completion)>(completion)));
        },
        handler, buffers);
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }

 private:
  template <class Buffers, class Handler>
  class ReadOperation : public beast::async_base<Handler, executor_type> {
   public:
    ReadOperation(WatchedSocket& socket, const Buffers& buffers, Handler handler)
        : beast::async_base<Handler, executor_type>(std::move(handler), socket.get_executor()), socket_(socket), buffers_(buffers) {}
    void operator()(error_code failure, std::size_t count) {
      for (const asio::const_buffer piece : beast::buffers_range_ref(buffers_)) {
        const auto size = std::min(piece.size(), count);
        if (size > 0) socket_.seen_({static_cast<const char*>(piece.data()), size});
        count -= size;
        read_ += size;
      }
      this->complete_now(failure, read_);
    }

   private:
    WatchedSocket& socket_;
    Buffers buffers_;
    std::size_t read_ = 0;
  };

  Socket socket_;
  Seen seen_;
};

/// Beast finds it beside the type.
template <class Handler>
void async_teardown(beast::role_type role, WatchedSocket& socket, Handler&& handler) {
  websocket::async_teardown(role, socket.next_layer(), std::forward<Handler>(handler));
}

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
        message_deadline_(options_.idle_timeout),
        stream_(std::move(socket), [this](std::string_view bytes) { message_deadline_.see(bytes, steady_clock::now()); }) {}

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
    if (now >= std::min(deadline_, message_deadline_.when())) finish();
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
    if (!stream_.is_message_done()) return read();
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
  MessageDeadline message_deadline_;  ///< also of a control frame
  websocket::stream<WatchedSocket, false> stream_;
  beast::http::request<beast::http::empty_body> request_;
  beast::flat_buffer input_;
  WebSocket::Text text_;  ///< being written
  SteadyTime deadline_ = SteadyTime::max();
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
