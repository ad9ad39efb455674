#include <fmt/format.h>
#include <atomic>

#include <mutex>

#include "functions/detail/encoding.hpp"
#include "functions/detail/mcp_talk.hpp"
#include "functions/detail/process_call.hpp"
#include "net/event_stream.hpp"

namespace pawl::functions {
namespace {

/// All but `begin` comes on the runner's thread.
class ProgramTalk : public std::enable_shared_from_this<ProgramTalk> {
 public:
  ProgramTalk(Talk talk, std::string name, TalkDone done)
      : name_(std::move(name)),
        secrets_(std::move(talk.secrets)),
        done_(std::move(done)),
        conversation_(std::move(talk.ask), std::move(talk.options)) {}

  [[nodiscard]] engine::Cancel begin(const std::shared_ptr<ProcessRunner>& processes, ProcessSpec spec) {
    spec.input = lines_of(conversation_.begin());
    spec.converse = [self = shared_from_this()](std::string_view piece) { return self->heard(piece); };
    const auto id = processes->start(std::move(spec), [self = shared_from_this()](const ProcessResult& result) { self->exited(result); });
    return [weak = std::weak_ptr(processes), id] {
      if (const auto alive = weak.lock()) alive->cancel(id);
    };
  }

 private:
  static std::string lines_of(const std::vector<mcp::Outgoing>& messages) {
    std::string lines;
    for (const auto& message : messages) lines += message.text + '\n';
    return lines;
  }

  Said heard(std::string_view piece) {
    Said said;
    lines_.feed(piece, [&](std::string_view line) {
      // Some programs greet on their standard output before they speak the protocol.
      if (line.empty() || conversation_.ended() || (line.front() != '{' && ++strays_ <= kMaxStrays)) return;
      said.input += lines_of(conversation_.take(line));
    });
    said.ends = conversation_.ended();
    if (said.ends) answer(std::nullopt);
    return said;
  }

  void exited(const ProcessResult& result) {
    if (conversation_.ended()) return answer(std::nullopt);
    const bool ended_by_itself = result.ending == ProcessResult::Ending::exited || result.ending == ProcessResult::Ending::signalled;
    auto outcome = to_outcome(result, ended_by_itself ? "stdout" : "none", "the MCP server " + name_, secrets_);
    if (!outcome.ok()) return answer(std::move(outcome));
    answer(failed(Error(ErrorClass::unavailable, "mcp.protocol", fmt::format("the MCP server {} ended without an answer", name_))));
  }

  void answer(std::optional<engine::Outcome> failure) {
    if (answered_) return;
    answered_ = true;
    Talked talked{Error(ErrorClass::unavailable, "mcp.protocol", "")};
    if (conversation_.ended()) talked.result = conversation_.result();
    talked.failure = std::move(failure);
    talked.definition = conversation_.definition();
    talked.era = conversation_.era();
    talked.notes = conversation_.notes();
    done_(std::move(talked));
  }

  static constexpr int kMaxStrays = 1000;

  const std::string name_;
  const json::Value secrets_;
  const TalkDone done_;
  mcp::Conversation conversation_;
  net::LineSplitter lines_;
  int strays_ = 0;
  bool answered_ = false;
};

}  // namespace

engine::Cancel talk_with_program(const std::shared_ptr<ProcessRunner>& processes, const McpServer& server, Talk talk, TalkDone done) {
  ProcessSpec spec;
  spec.command = [words = server.arguments, program = server.command](const std::string&) {
    std::vector<std::string> all{program};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  };
  spec.environment = server.environment;
  spec.programs = server.programs;
  spec.timeout = talk.timeout;
  spec.network = server.network;
  spec.see_roots = server.roots != McpServer::Roots::none;
  spec.write_roots = server.roots == McpServer::Roots::write && talk.may_destroy;
  spec.max_output = talk.options.limits.max_message;
  talk.options.initialize_first = true;
  const auto talking = std::make_shared<ProgramTalk>(std::move(talk), server.name, std::move(done));
  return talking->begin(processes, std::move(spec));
}

}  // namespace pawl::functions
