#include "net/curl_outbound.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pawl::net {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

/// A place that takes connections and never says anything.
class SilentPlace {
 public:
  SilentPlace() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, plain, size), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    EXPECT_EQ(::getsockname(socket_, plain, &size), 0);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  }
  ~SilentPlace() { ::close(socket_); }
  SilentPlace(const SilentPlace&) = delete;
  SilentPlace& operator=(const SilentPlace&) = delete;

  std::string url;

 private:
  const int socket_;
};

class CurlOutboundEnd : public ::testing::Test {
 protected:
  static CurlOptions options() {
    CurlOptions options;
    options.policy.allow_private = true;
    return options;
  }
  void begin(CurlOutbound& outbound, bool goes_on = false) {
    outbound.start({.url = place_.url}, [this, &outbound, goes_on](const Result<OutboundResponse>& answer) {
      if (goes_on) begin(outbound);
      const std::lock_guard lock(mutex_);
      codes_.push_back(answer.has_error() ? answer.error().code : "answered");
      inside_ = inside_ || std::this_thread::get_id() == caller_;
    });
  }
  SilentPlace place_;
  const std::thread::id caller_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::vector<std::string> codes_;
  bool inside_ = false;
};

TEST_F(CurlOutboundEnd, EverybodyHasBeenToldWhenItIsStoppedAndNobodyIsToldAfterwards) {
  CurlOutbound outbound(options());
  begin(outbound);
  begin(outbound, true);
  outbound.stop();
  EXPECT_THAT(codes_, SizeIs(3)) << "what a callback starts is told too";
  EXPECT_THAT(codes_, Each("net.cancelled"));
  outbound.stop();
  EXPECT_THAT(codes_, SizeIs(3));
}

TEST_F(CurlOutboundEnd, WhatIsStartedAfterItsEndIsCancelledAndNotInsideOfTheCall) {
  CurlOutbound outbound(options());
  outbound.stop();
  begin(outbound, true);
  outbound.cancel(1);
  outbound.stop();
  EXPECT_THAT(codes_, SizeIs(2));
  EXPECT_THAT(codes_, Each("net.cancelled"));
  EXPECT_FALSE(inside_);
}

TEST_F(CurlOutboundEnd, ItsDestructorStopsIt) {
  {
    CurlOutbound outbound(options());
    begin(outbound);
  }
  EXPECT_THAT(codes_, ElementsAre("net.cancelled"));
}

}  // namespace
}  // namespace pawl::net
