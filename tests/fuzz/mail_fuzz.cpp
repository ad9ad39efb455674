/// Whatever the bytes: a mail of valid texts, within its limits, out of multipart bodies that lie.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "mail/received.hpp"

namespace {

void check(const pawl::mail::Received& mail) {
  using pawl::is_utf8;
  for (const auto* text : {&mail.from, &mail.to, &mail.cc, &mail.subject, &mail.date, &mail.message_id, &mail.text, &mail.html})
    PAWL_ASSERT(is_utf8(*text), "texts are UTF-8");
  PAWL_ASSERT(mail.attachments.size() <= 500, "the number of parts is limited");
  for (const auto& attachment : mail.attachments) PAWL_ASSERT(is_utf8(attachment.name) && is_utf8(attachment.type), "names are UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = mail::read_message(text);
  check(whole);
  std::size_t attached = 0;
  for (const auto& attachment : whole.attachments) attached += attachment.size;
  // base64 and quoted-printable only shrink, and no part counts twice.
  PAWL_ASSERT(attached <= size, "attachments are not larger than the mail");
  const auto mails = mail::split_mbox(text, 10);
  PAWL_ASSERT(mails.size() <= 10, "the number of mails is limited");
  std::size_t bytes = 0;
  for (const auto& each : mails) {
    bytes += each.size();
    check(mail::read_message(each));
  }
  PAWL_ASSERT(bytes <= size + 1, "mails are not larger than their box");
  const auto cut = text.find('\n');
  PAWL_ASSERT(is_utf8(mail::decode_words(text.substr(0, cut))), "decoded words are text");
  if (cut != std::string_view::npos)
    PAWL_ASSERT(is_utf8(mail::to_utf8_from(text.substr(0, cut), text.substr(cut + 1))), "so is every charset");
  return 0;
}
