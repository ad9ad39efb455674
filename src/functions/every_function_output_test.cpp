// What must hold for every function that is registered: what it answers is limited, and so is the memory that it takes to find out.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "functions/testing/each_builtin.hpp"
#include "functions/testing/each_function.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kSmall = 256U << 10U;
constexpr std::size_t kMost = 64U << 20U;  ///< bytes that a call may take beyond what is there; each limit is far below it
constexpr std::size_t kEntries = 100;

/// What has no output that could grow, and why.
const Reasons kSmallOutput = {
    {"approval", "answers with what a person says, which has a limit where it comes in"},
    {"noop", "gives its arguments back"},
    {"file-write", "answers with a path, a size and a hash of what the run holds"},
    {"database-backup",
     "answers with a path and a size; the file is as large as the database, and that of pg_dump has the limit of processes"},
    {"log", "one line, cut at 4 KiB; the output is the input"},
};

class EachOutput : public EachBuiltin {
 protected:
  EachOutput() : EachBuiltin(limits()) {}

  static FunctionsOptions limits() {
    FunctionsOptions options;
    options.max_process_output = kSmall;
    options.max_file_read = kSmall;
    options.max_response = kSmall;
    options.max_document = kSmall;
    options.max_mail = kSmall;
    options.max_transfer = kSmall;
    options.max_archive_bytes = kSmall;
    options.max_archive_entries = kEntries;
    options.max_organized_files = kEntries;
    options.max_pixels = 1'000'000;
    return options;
  }
  /// Runs a program of the machine in the root, to make what the functions look at.
  void make(const std::string& command) const {
    const auto line = "cd " + bench_.root() + " && " + command;
    ASSERT_EQ(std::system(line.c_str()), 0) << command;  // Flawfinder: ignore - the commands stand below
  }

  void SetUp() override {
    std::string noise;
    for (std::uint32_t i = 0, n = 1; i < 400 * 400; ++i) {
      n = n * 1664525U + 1013904223U;
      noise += static_cast<char>(static_cast<unsigned char>(n >> 24U));
    }
    write_slow_documents(bench_);
    bench_.write("noise.tiff", grey_tiff_head(400, 400) + noise);
    sparse("large.txt", 8ULL << 30U);
    for (std::size_t i = 0; i < 2 * kEntries; ++i) bench_.write("many/" + std::to_string(i) + ".txt", "x");
    make("tar czf many.tar.gz many && head -c 100000000 /dev/zero > zeros && tar czf bomb.tar.gz zeros && rm zeros");
    make("mkdir repository && cd repository && git init -q . && for i in $(seq 3000); do : > $(printf '%0200d' $i); done");
  }

  std::vector<Much> rows() const {
    const auto body = web_.port();
    const auto page = "http://127.0.0.1:" + body + "/";
    const std::string mail = R"("security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x")";
    const std::string s3 =
        R"("bucket": "bucket", "endpoint": "http://127.0.0.1:)" + body + R"(", "access_key_id": "a", "secret_access_key": "b")";
    std::vector<Much> all = {
        {"http", R"({"method": "get", "endpoint": ")" + page + "\"}", "net.too_large"},
        {"http-task", R"({"url": ")" + page + "\"}", "net.too_large"},
        {"openapi", R"({"document": {"endpoint": ")" + page + R"("}, "operationId": "a"})", "net.too_large"},
        {"web-scraper", R"({"selectors": {"a": "a"}, "url": ")" + page + "\"}", "net.too_large"},
        {"slack", R"({"message": "x", "webhook_url": ")" + page + "\"}", "net.too_large"},
        {"s3", R"({"operation": "list", )" + s3 + "}", "net.too_large"},
        {"s3", R"({"operation": "get", "key": "k", "local_path": "object", )" + s3 + "}", "an object without a size"},
        {"send-email", R"({"smtp_host": "127.0.0.1", "body": "x", "attachments": [{"path": "large.txt"}], )" + mail + "}", "large"},
        {"send-email", R"({"smtp_host": "127.0.0.1", "body": "x", "timeout": 0.5, "smtp_port": )" + smtp_.port() + ", " + mail + "}",
         "mail.server"},
        {"email-summarizer", R"({"source_path": "large.txt"})", "file.too_large"},
        {"email-summarizer", R"({"imap": {"host": "127.0.0.1", "security": "none", "timeout": 0.5, "port": )" + imap_.port() + "}}",
         "mail.server"},
        {"git", R"({"operation": "status", "repo_path": "repository"})", "Too much output"},
        {"sql-query", R"({"path": "x.db", "query": "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"})",
         R"("limited":true)", true},
        {"sql-query",
         R"({"path": "x.db", "query": "with recursive n(i) as (select 1 union all select i+1 from n) select printf('%1000d', i) from n"})",
         "sql.too_large"},
        {"sql-query", R"json({"path": "x.db", "query": "select zeroblob(1000000000)"})json", "sql.too_large"},
        {"run.shell", R"({"command": "yes"})", "Too much output"},
        {"run.shell", R"({"command": "yes >&2"})", "Too much output"},
        {"run.script", R"json({"language": "python", "code": "while True: print('x' * 1000)"})json", "Too much output"},
        {"run.script", R"json({"language": "js", "code": "for (;;) console.log('x'.repeat(1000))"})json", "Too much output"},
        {"run.script", R"json({"language": "js", "code": "for (;;) console.error('x'.repeat(1000))"})json", "Too much output"},
        {"run.script",
         R"json({"language": "js", "code": "for (;;) await new Promise((done) => process.stdout.write('x'.repeat(1000), done))"})json",
         "Too much output"},
        {"run.container", R"({"image": "image", "command": "yes"})", "Too much output"},  // `StandInEngine`
        {"shell-command", R"({"command": "yes", "allow_destructive": true})", "Too much output"},
        {"transform", R"json({"all": true, "expression": "range(1e9)", "input": null})json", "transform."},
        {"csv", R"({"path": "large.txt"})", "file.too_large"},
        {"csv", R"({"text": "a\n1\n2\n3\n", "limit": 2})", R"("limited":true)", true},
        {"archive", R"({"operation": "list", "archive": "many.tar.gz"})", "archive.too_large"},
        {"archive", R"({"operation": "extract", "archive": "bomb.tar.gz", "target": "unpacked"})", "archive.too_large"},
        {"archive", R"({"operation": "create", "archive": "many.zip", "paths": ["many"]})", "archive.too_large"},
        {"archive", R"({"operation": "create", "archive": "large.zip", "paths": ["large.txt"]})", "archive.too_large"},
        {"file-read", R"({"path": "large.txt"})", "file.too_large"},
        {"file-organizer", R"({"target": "many", "allow_destructive": true})", "file.too_many"},
        {"pdf-extractor", R"({"input_path": "slow.pdf"})", "file.too_large"},
        {"image-processor", R"({"input_path": "slow.tiff", "output_path": "a.png", "operation": "convert"})", "file.too_large"},
        {"image-processor", R"({"input_path": "noise.tiff", "output_path": "b.png", "operation": "resize", "width": 2000})",
         "image.too_large"},
        {"image-processor", R"({"input_path": "noise.tiff", "output_path": "c.png", "operation": "resize", "width": 900})",
         "Too much output"},
    };
    if (has_browser()) {
      for (const auto& port : {large_.port(), endless_.port(), growing_.port()}) {
        all.push_back(
            {"web-scraper", R"({"selectors": {"a": "a"}, "wait_for": "body", "url": "http://127.0.0.1:)" + port + "/\"}", "net.too_large"});
      }
    }
    return all;
  }

  const std::string head_ = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  Flood web_{head_, "x"};
  Flood endless_{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", "<p>x"};
  /// Small, until its script has run.
  Loopback growing_{
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: "
      "close\r\n\r\n<body><script>document.body.append('x'.repeat(1e6))</script>"};
  Loopback large_{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + std::string(2 * kSmall, 'x')};
  Flood smtp_{"220-welcome\r\n", "220-and welcome\r\n"};
  Flood imap_{"* PREAUTH welcome\r\n", "* CAPABILITY IMAP4rev1\r\n"};
};

TEST_F(EachOutput, IsTooLargeInThisTestOrSaysWhyItCannotBe) { expect_all_of(bench_.registry, rows(), kSmallOutput); }

// proves: F3
TEST_F(EachOutput, F3_IsLimitedAndSoIsTheMemoryForIt) {
  for (const auto& much : rows()) expect_bounded_output(bench_, much, kMost);
}

// Each evaluation has limits of its own; those of many items together are the function's.
TEST_F(EachOutput, F3_ManyResultsTogetherAreLimitedAsWell) {
  std::string items = "[0";
  for (int i = 0; i < 1000; ++i) items += ",0";
  const auto text = [&](const std::string& more) {
    return R"json({"expression": "\"x\" * 1000000", "input": )json" + items + "], " + more + "}";
  };
  constexpr std::size_t kAll = 256U << 20U;  // more than the 128 MiB that results may be
  expect_bounded_output(bench_, {"transform", text(R"("each": true)"), "transform.too_large"}, kAll);
  expect_bounded_output(bench_, {"transform", text(R"("each": true, "all": true)"), "transform.too_large"}, kAll);
  expect_bounded_output(
      bench_, {"transform", R"json({"all": true, "expression": "range(1000) | \"x\" * 1000000"})json", "transform.too_large"}, kAll);
}

}  // namespace
}  // namespace pawl::functions
