#include "jq/detail/prelude.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "jq/detail/parser.hpp"

namespace pawl::jq::detail {
namespace {

/// Expanded in place. None is recursive.
constexpr std::string_view kInlined = R"jq(
def map(f): [.[] | f];
def map_values(f): .[] |= f;
def select(f): if f then . else empty end;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type | . == "array" or . == "object");
def scalars: select(type | . != "array" and . != "object");
def isvalid(f): try (f | true) catch false;
def isfinite: type == "number" and (isinfinite | not);
def finites: select(isfinite);
def normals: select(isnormal);
def add(f): reduce f as $x (null; . + $x);
def sort_by(f): _sort_by(map([f]));
def group_by(f): _group_by(map([f]));
def unique_by(f): _unique_by(map([f]));
def min_by(f): _min_by(map([f]));
def max_by(f): _max_by(map([f]));
def with_entries(f): to_entries | map(f) | from_entries;
def del(f): delpaths([path(f)]);
def paths: path(recurse) | select(length > 0);
def paths(f): path(recurse | select(f)) | select(length > 0);
def leaf_paths: paths(scalars);
def recurse(f; condition): recurse(f | select(condition));
def recurse_down: recurse;
def pick(f): . as $whole | reduce path(f) as $path (null; setpath($path; $whole | getpath($path)));
def in(whole): . as $key | whole | has($key);
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f): if $n < 0 then error("nth doesn't support negative indices") else first(_skip($n + 1; f)) end;
def limit($n; f): if $n > 0 then _limit($n; f) elif $n == 0 then empty else error("limit doesn't support negative count") end;
def skip($n; f): if $n >= 0 then _skip($n + 1; f) else error("skip doesn't support negative count") end;
def tostream: _stream[];
def match(re): _match(re)[];
def match(re; flags): _match(re; flags)[];
def capture(re): _match(re)[] | _capture_object;
def capture(re; flags): _match(re; flags)[] | _capture_object;
def scan($re; $flags): _match($re; "g" + $flags)[] | if .captures == [] then .string else [.captures[].string] end;
def scan($re): scan($re; null);
def splits($re): splits($re; null);
def splits($re; flags): split($re; flags)[];
def sub($re; f; $flags): _match($re; $flags) as $matches | _substitute($matches; [$matches[] | [_capture_object | f]])[];
def sub($re; f): sub($re; f; "");
def gsub($re; f; $flags): sub($re; f; $flags + "g");
def gsub($re; f): sub($re; f; "g");
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def todateiso8601: todate;
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def fromdate: fromdateiso8601;
def date: todate;
def dateadd(unit; n): . + n;
def datesub(unit; n): . - n;
def input: error("break");
def inputs: empty;
def debug: .;
def debug(message): (message | empty), .;
def stderr: .;
def have_literal_numbers: true;
def have_decnum: false;
def INDEX(f): INDEX(.[]; f);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] |= $row);
def IN(set): any(set == .; .);
def IN(stream; set): any(stream == set; .);
def JOIN($index; f): [.[] | [., $index[f]]];
def JOIN($index; stream; f): stream | [., $index[f]];
def JOIN($index; stream; f; join): stream | [., $index[f]] | join;
def truncate_stream(stream): . as $depth | null | stream | . as $event
  | if ($event[0] | length) > $depth then setpath([0]; $event[0][$depth:]) else empty end;
)jq";

/// Called.
constexpr std::string_view kCalled = R"jq(
def walk(f): def w: if type == "object" then map_values(w) elif type == "array" then map(w) else . end | f; w;
def combinations: if length == 0 then [] else .[0][] as $head | (.[1:] | combinations) as $tail | [$head] + $tail end;
def combinations($n): . as $items | [range($n) | $items] | combinations;
def fromstream(stream): {whole: null, done: false} as $start
  | foreach stream as $event ($start;
      if .done then $start else . end
      | if ($event | length) == 2
        then setpath(["done"]; ($event[0] | length) == 0) | setpath(["whole"] + $event[0]; $event[1])
        else setpath(["done"]; ($event[0] | length) == 1) end;
      if .done then .whole else empty end);
)jq";

struct Prelude {
  Tree tree;
  std::vector<PreludeFunction> functions;  // by name and arity

  Prelude() {
    add(kInlined, true);
    add(kCalled, false);
    std::sort(functions.begin(), functions.end(), [](const PreludeFunction& a, const PreludeFunction& b) {
      const auto order = a.function->name.compare(b.function->name);
      return order != 0 ? order < 0 : a.function->parameters.size() < b.function->parameters.size();
    });
  }

  void add(std::string_view source, bool inlined) {
    auto parsed = Parser(source, tree).definitions();
    PAWL_ASSERT(parsed.has_value(), "the prelude is correct");
    for (const auto* function : parsed.value()) functions.push_back({function, inlined});
  }
};

const Prelude& prelude() {
  static const Prelude instance;
  return instance;
}

}  // namespace

PreludeFunction find_prelude(std::string_view name, std::size_t arity) {
  const auto& all = prelude().functions;
  const auto found = std::lower_bound(all.begin(), all.end(), name, [&](const PreludeFunction& candidate, std::string_view wanted) {
    const auto order = candidate.function->name.compare(wanted);
    return order != 0 ? order < 0 : candidate.function->parameters.size() < arity;
  });
  if (found == all.end() || found->function->name != name || found->function->parameters.size() != arity) return {};
  return *found;
}

void list_prelude(void (*visit)(void* context, std::string_view name, std::size_t arity), void* context) {
  for (const auto& entry : prelude().functions) visit(context, entry.function->name, entry.function->parameters.size());
}

}  // namespace pawl::jq::detail
