#include "net/detail/redis_session.hpp"

#include <hiredis/hiredis.h>

#include <boost/asio/buffer.hpp>
#include <utility>

#include "base/assert.hpp"
#include "net/address_policy.hpp"

namespace pawl::net::detail {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxRefusal = 300;

Error unavailable(std::string sentence) { return {ErrorClass::unavailable, "redis.unavailable", std::move(sentence)}; }

std::string_view text_of(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

/// Depth is bounded: hiredis refuses more than seven levels.
RedisReply convert(const redisReply& from) {
  RedisReply to;
  switch (from.type) {
    case REDIS_REPLY_INTEGER:
      to.type = RedisReply::Type::integer;
      to.integer = from.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
      to.type = RedisReply::Type::text;
      to.text = text_of(from);
      break;
    case REDIS_REPLY_ARRAY:
      to.type = RedisReply::Type::array;
      to.elements.reserve(from.elements);
      for (std::size_t i = 0; i < from.elements; ++i) to.elements.push_back(convert(*from.element[i]));
      break;
    default: break;
  }
  return to;
}

/// The parser reserves room for as many elements as an array promises to have: not for a promise like that.
constexpr int kMaxElements = 65'536;

redisReplyObjectFunctions* limited_functions(const redisReplyObjectFunctions& of_library) {
  static const redisReplyObjectFunctions original = of_library;
  static redisReplyObjectFunctions limited = [] {
    auto functions = original;
    functions.createArray = [](const redisReadTask* task, int elements) -> void* {
      return elements > kMaxElements ? nullptr : original.createArray(task, elements);
    };
    return functions;
  }();
  return &limited;
}

}  // namespace

void RedisSession::FreeReader::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisSession::RedisSession(asio::io_context& context, const RedisAddress& address, const RedisOptions& options, Events events)
    : address_(address),
      options_(options),
      events_(std::move(events)),
      resolver_(context),
      line_(context, address_, options_),
      connect_timer_(context),
      deadline_timer_(context),
      reader_(redisReaderCreate()) {
  PAWL_ASSERT(reader_ != nullptr, "no memory for a Redis connection");
  reader_->fn = limited_functions(*reader_->fn);
}

RedisSession::~RedisSession() { PAWL_ASSERT(pending_.empty(), "a session is closed before it goes"); }

// ---- beginning ---------------------------------------------------------------------------------------------------

void RedisSession::open() {
  PAWL_ASSERT(state_ == State::fresh, "a session is opened once");
  state_ = State::connecting;
  connect_timer_.expires_after(options_.connect_timeout);
  connect_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && self->state_ == State::connecting) self->fail(unavailable("it did not answer in time"));
  });
  resolve();
}

void RedisSession::resolve() {
  resolver_.async_resolve(address_.host, std::to_string(address_.port),
                          [self = shared_from_this()](error_code error, const tcp::resolver::results_type& endpoints) {
                            if (self->state_ != State::connecting) return;
                            if (error) return self->fail(unavailable("its name is not known"));
                            self->connect(endpoints);
                          });
}

void RedisSession::connect(const tcp::resolver::results_type& endpoints) {
  line_.connect(endpoints, [self = shared_from_this()](const Result<void>& connected) {
    if (self->state_ != State::connecting) return;
    if (connected.has_error()) return self->fail(connected.error());
    self->greet();
    self->read();
  });
}

void RedisSession::greet() {
  const auto ask = [this](std::vector<std::string> command, std::string_view what) {
    pending_.push_back({[this, what](const Result<RedisReply>& reply) {
                          if (reply.has_value() || refusal_) return;
                          // Only the first word: nothing that was sent may come back into a log.
                          const auto& message = reply.error().message;
                          refusal_ = "it refused the " + std::string(what) + " (" + message.substr(0, message.find(' ')) + ")";
                        },
                        Clock::time_point::max()});
    send(command);
  };
  if (!address_.password.empty()) {
    std::vector<std::string> auth{"AUTH"};
    if (!address_.user.empty()) auth.push_back(address_.user);
    auth.push_back(address_.password);
    ask(std::move(auth), "password");
  }
  if (address_.database != 0) ask({"SELECT", std::to_string(address_.database)}, "database");
  ask({"PING"}, "greeting");
}

/// The last reply of the greeting is there.
void RedisSession::greeted() {
  if (refusal_) return fail(unavailable(*refusal_));
  state_ = State::ready;
  connect_timer_.cancel();
  events_.ready();
}

// ---- commands ----------------------------------------------------------------------------------------------------

void RedisSession::command(const std::vector<std::string>& arguments, RedisClient::Done done) {
  PAWL_ASSERT(state_ == State::ready && !subscribed_, "commands are for a connection that is ready");
  pending_.push_back({std::move(done), Clock::now() + options_.command_timeout});
  send(arguments);
  watch_deadlines();
}

void RedisSession::subscribe(const std::vector<std::string>& channels) {
  PAWL_ASSERT(state_ == State::ready && !channels.empty(), "subscriptions are for a connection that is ready");
  subscribed_ = true;
  std::vector<std::string> command{"SUBSCRIBE"};
  command.insert(command.end(), channels.begin(), channels.end());
  send(command);
}

void RedisSession::send(const std::vector<std::string>& arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  char* formatted = nullptr;
  const auto size = redisFormatCommandArgv(&formatted, static_cast<int>(texts.size()), texts.data(), sizes.data());
  PAWL_ASSERT(size > 0, "no memory for a Redis command");
  to_write_.append(formatted, static_cast<std::size_t>(size));
  redisFreeCommand(formatted);
  write();
}

/// Answers come in order and all have the same patience: the first of those that wait is the first to run out of it.
void RedisSession::watch_deadlines() {
  if (watching_ || pending_.empty()) return;
  watching_ = true;
  deadline_timer_.expires_at(pending_.front().deadline);
  deadline_timer_.async_wait([self = shared_from_this()](error_code error) {
    self->watching_ = false;
    if (error || self->state_ != State::ready) return;
    if (!self->pending_.empty() && self->pending_.front().deadline <= Clock::now()) {
      return self->fail(unavailable("it did not answer in time"));
    }
    self->watch_deadlines();
  });
}

// ---- the socket --------------------------------------------------------------------------------------------------

void RedisSession::write() {
  if (!being_written_.empty() || to_write_.empty() || state_ == State::closed) return;
  being_written_.swap(to_write_);
  line_.write(asio::buffer(being_written_), [self = shared_from_this()](error_code error, std::size_t) {
    self->being_written_.clear();
    if (self->state_ == State::closed) return;
    if (error) return self->fail(unavailable("the connection broke: " + error.message()));
    self->write();
  });
}

void RedisSession::read() {
  line_.read(asio::buffer(in_), [self = shared_from_this()](error_code error, std::size_t bytes) {
    if (self->state_ == State::closed) return;
    if (error == asio::error::eof) return self->fail(unavailable("it closed the connection"));
    if (error) return self->fail(unavailable("the connection broke: " + error.message()));
    self->take(bytes);
    if (self->state_ != State::closed) self->read();
  });
}

void RedisSession::take(std::size_t bytes) {
  redisReaderFeed(reader_.get(), in_.data(), bytes);
  incomplete_ += bytes;
  while (state_ != State::closed) {
    void* found = nullptr;
    if (redisReaderGetReply(reader_.get(), &found) != REDIS_OK) return fail(unavailable("it does not speak Redis' protocol"));
    if (found == nullptr) break;
    const std::unique_ptr<void, void (*)(void*)> reply(found, freeReplyObject);
    incomplete_ = 0;
    handle(*static_cast<const redisReply*>(found));
  }
  if (state_ == State::closed || incomplete_ <= options_.max_reply_bytes) return;
  fail(Error(ErrorClass::unavailable, "redis.too_large", "it sent an answer that is too large"));
}

void RedisSession::handle(const redisReply& reply) {
  if (subscribed_) {
    if (reply.type == REDIS_REPLY_ERROR) return fail(unavailable("it refused a subscription"));
    if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 3) return fail(unavailable("it does not speak Redis' protocol"));
    return events_.push(text_of(*reply.element[0]), text_of(*reply.element[1]), text_of(*reply.element[2]));
  }
  if (pending_.empty()) return fail(unavailable("it answered what nobody had asked"));
  auto first = std::move(pending_.front());
  pending_.pop_front();
  if (reply.type == REDIS_REPLY_ERROR) {
    first.done(Error(ErrorClass::internal, "redis.refused", std::string(text_of(reply).substr(0, kMaxRefusal))));
  } else {
    first.done(convert(reply));
  }
  if (state_ == State::connecting && pending_.empty()) greeted();
}

// ---- the end -----------------------------------------------------------------------------------------------------

void RedisSession::fail(Error why) {
  if (state_ == State::closed) return;
  end();
  if (auto lost = std::exchange(events_.lost, nullptr)) lost(why);
  answer_all(why);
}

void RedisSession::close() {
  if (state_ == State::closed) return;
  end();
  answer_all(unavailable("the client is shutting down"));
}

void RedisSession::end() {
  state_ = State::closed;
  resolver_.cancel();
  connect_timer_.cancel();
  deadline_timer_.cancel();
  line_.close();
}

void RedisSession::answer_all(const Error& why) {
  const auto now = Clock::now();
  for (auto& left : std::exchange(pending_, {})) {
    if (left.deadline <= now) {
      left.done(Error(ErrorClass::timeout, "redis.timeout", "Redis did not answer in time."));
    } else {
      left.done(Error(why.kind, why.code, "Redis is not available: " + why.message + "."));
    }
  }
}

}  // namespace pawl::net::detail
