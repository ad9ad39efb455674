// The endless answers of a connection: event streams.
#include <array>
#include <charconv>
#include <utility>

#include "http/detail/connection.hpp"
#include "http/detail/serializer.hpp"

namespace pawl::http::detail {
using std::chrono::steady_clock;

std::shared_ptr<EventStream> Connection::stream(Headers headers) {
  auto queue = std::make_shared<StreamQueue>(state_->threads, shard_.index, state_->options.stream_queue_bytes, weak_from_this());
  if (state_->threads.on_thread(shard_.index)) {
    begin_stream(std::move(headers), queue);
  } else {
    state_->threads.post(shard_.index, [self = shared_from_this(), queue, headers = std::move(headers)]() mutable {
      self->begin_stream(std::move(headers), queue);
    });
  }
  return std::make_shared<StreamHandle>(std::move(queue));
}

void Connection::begin_stream(Headers headers, const std::shared_ptr<StreamQueue>& queue) {
  if (phase_ != Phase::handling) return queue->ended();
  if (method_ == Method::head) {  // the head alone is the answer
    queue->ended();
    Response response(200);
    if (!headers.contains("content-type")) response.content_type = "text/event-stream";
    response.headers = std::move(headers);
    return respond(std::move(response));
  }
  Response response(200);
  if (!headers.contains("content-type")) response.content_type = "text/event-stream";
  headers.add("X-Accel-Buffering", "no");
  if (!headers.contains("cache-control")) headers.add("Cache-Control", "no-store");
  response.headers = std::move(headers);
  stream_heartbeat_ = !response.content_type.view().empty();
  keep_alive_ = false;
  const auto now = steady_clock::now();
  output_.clear();
  const HeadContext head{shard_.date(now), request_id_, http11_, false, true, https_};
  if (!append_head(output_, response, 0, head)) {
    queue->ended();
    return respond(server_error(ErrorClass::internal, "http.bad_response", "The server made an answer that must not be sent."));
  }
  status_ = 200;
  written_ = 0;
  large_body_ = {};
  stream_ = queue;
  stream_finishing_ = false;
  last_sent_ = now;
  on_leave_ = nullptr;
  phase_ = Phase::streaming;
  if (state_->stopping.load(std::memory_order_relaxed)) queue->close();
  wait_readable();  // to notice when the client goes
  advance();
}

void Connection::stream_ready() {
  if (phase_ == Phase::streaming) advance();
}

bool Connection::step_stream() {
  if (write_pending_) return false;
  if (written_ == output_.size()) {
    if (stream_finishing_) {
      exchange_ended(true);
      std::exchange(stream_, nullptr)->ended();
      if (phase_ == Phase::closed) return false;  // the callback may do anything
      hang_up();
      return true;
    }
    auto taken = stream_->take();
    if (taken.overflow) {
      exchange_ended(false);
      close();
      return false;
    }
    if (taken.bytes.empty() && !taken.closed) {
      deadline_ = last_sent_ + state_->options.heartbeat;
      return false;
    }
    output_.clear();
    written_ = 0;
    if (!taken.bytes.empty()) {
      if (http11_) {
        std::array<char, 24> size{};
        const auto end = std::to_chars(size.data(), size.data() + size.size(), taken.bytes.size(), 16).ptr;
        output_.append(size.data(), end).append("\r\n").append(taken.bytes).append("\r\n");
      } else {
        output_ = std::move(taken.bytes);
      }
    }
    if (taken.closed) {
      if (http11_) output_ += "0\r\n\r\n";
      stream_finishing_ = true;
    }
  }
  deadline_ = steady_clock::now() + state_->options.write_timeout;
  switch (write_some()) {
    case WriteResult::failed:
      exchange_ended(false);
      close();
      return false;
    case WriteResult::blocked: stream_->set_in_flight(output_.size() - written_); return false;
    case WriteResult::complete: break;
  }
  last_sent_ = steady_clock::now();
  stream_->set_in_flight(0);
  return true;
}

}  // namespace pawl::http::detail
