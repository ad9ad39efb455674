// Lists that are kept whole, because they are short by a bound of their own (connectors, functions, sessions), in pages as every other
// list.
//
//     Query query(call.request);
//     const auto page = page_of(query, connectors, [](const Connector& each) { return std::string(each.name); });
//     PAWL_API_CHECK(query.finish());
//     append_array(object.raw("items"), page.items, ...);
//     page.write_next(object);
//
// Without `limit` all of it comes. A cursor names the last row of its page by that row's key. Where the row has gone since, the rows of
// greater keys follow: so keys rise along the list.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/body.hpp"
#include "api/json_writer.hpp"
#include "api/route.hpp"

namespace pawl::api::detail {

struct Slice {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string next;  ///< the cursor of what follows; empty: nothing does

  void write_next(ObjectWriter& object) const { object.text_or_null("next_cursor", next); }
};

/// Reads `limit` and `cursor`.
[[nodiscard]] Slice slice_of(Query& query, const std::vector<std::string>& keys);

template <class Row>
struct WholePage : Slice {
  std::span<const Row> items;
};

/// `rows` outlive the page. The key of each row is one of its own.
template <class Rows, class Key>
[[nodiscard]] auto page_of(Query& query, const Rows& rows, Key key) {
  const std::span all(rows);
  std::vector<std::string> keys;
  keys.reserve(all.size());
  for (const auto& row : all) keys.emplace_back(key(row));
  WholePage<typename decltype(all)::value_type> page{slice_of(query, keys), {}};
  page.items = all.subspan(page.begin, page.end - page.begin);
  return page;
}

/// The row's `query`.
[[nodiscard]] std::vector<Parameter> whole_list_parameters();

}  // namespace pawl::api::detail
