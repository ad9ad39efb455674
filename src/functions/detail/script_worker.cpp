#include "functions/detail/script_worker.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

// Both write the script into the private folder, so that messages show its lines and it knows its place.

constexpr const char* kPython = R"py(import atexit, gc, io, json, os, sys, threading, types

REPORT = 15
OWN = os.getpid()
WRITERS = (io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair, io.TextIOWrapper)


def exactly(count):
    data = b""
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            os._exit(0)  # nobody needed it
        data += more
    return data


def folder():
    own = os.path.dirname(os.path.abspath(__file__))
    return own if os.access(own, os.W_OK) else os.environ["TMPDIR"]


def exit_code(ending):
    if ending is None:
        return 0
    if isinstance(ending, int):
        return ending & 255
    print(ending, file=sys.stderr)
    return 1


def run(path, code, module):
    try:
        exec(compile(code, path, "exec"), module.__dict__)
        return 0
    except SystemExit as ending:
        return exit_code(ending.code)
    except BaseException as error:
        own = error.__traceback__.tb_next  # without this file's part
        sys.excepthook(type(error), error.with_traceback(own), own)
        return 1


def flush(file):
    try:
        if not file.closed:
            file.flush()
        return True
    except Exception:
        return False


def flush_files():
    for file in gc.get_objects():
        if isinstance(file, WRITERS):
            flush(file)


# What an interpreter does at its end, in its order, but for taking apart what is nobody's: that takes longer than a small script.
def end(module, code):
    threading._shutdown()
    atexit._run_exitfuncs()
    code = code if flush(sys.stdout) and flush(sys.stderr) else 120
    flush_files()
    names = [name for name in module.__dict__ if name != "__builtins__"]
    for name in sorted(names, key=lambda name: not name.startswith("_")):  # stable
        module.__dict__[name] = None
    gc.collect()
    flush_files()
    for file in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        flush(file)
    os.write(REPORT, bytes([code]))
    os._exit(code)


# Much of the interpreter is touched for the first time, page by page, by the first script: by this one, while nobody waits.
WARM = """
import sys
class Warm(Exception):
    def __init__(self, *given, **named):
        super().__init__(*given)
        self.named = {**named, "all": [each for each in given if each is not None]}
def warm(first, second=2):
    with io.StringIO() as into:
        for name, value in {"a": first, "b": second}.items():
            print(f"{name}={value!r:>4}", value * 1.5, file=into)
        return into.getvalue().split()
try:
    raise Warm(*sorted(warm(1)), last=lambda: None)
except Warm as error:
    assert error.named["all"]
"""


def warm(path):
    job = json.loads(json.dumps({"code": WARM, "arguments": [], "environment": {}}))
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(job["code"])
    module = types.ModuleType("__main__")
    module.__dict__.update(io=io, __file__=path, __builtins__=__builtins__)
    run(path, job["code"], module)
    os.environ.update(job["environment"])
    flush(sys.stdout)
    flush(sys.stderr)
    flush_files()


def main():
    path = os.path.join(folder(), "script.py")
    os.set_inheritable(REPORT, False)
    warm(path)
    gc.collect()
    gc.freeze()  # what is there now is not looked at in the end
    job = json.loads(exactly(int.from_bytes(exactly(4), "little")))
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(job["code"])
    os.environ.update(job["environment"])
    given = job["arguments"]
    sys.argv = [path, *given] if isinstance(given, list) else [path]
    sys.path[0] = os.path.dirname(path)
    module = types.ModuleType("__main__")
    module.__dict__.update(given if isinstance(given, dict) else {}, __file__=path, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    code = run(path, job["code"], module)
    if os.getpid() != OWN:
        sys.exit(code)  # a copy that the script has made of itself: nobody waits for its report
    end(module, code)


main()
)py";

constexpr const char* kJavascript = R"(import { Console } from 'node:console';
import { accessSync, closeSync, constants, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Script } from 'node:vm';

const REPORT = 15;

function exactly(count, from) {
  const data = Buffer.alloc(count);
  for (let at = 0; at < count; ) {
    const more = readSync(from, data, at, count - at, null);
    if (more === 0) process.reallyExit(0); // nobody needed it
    at += more;
  }
  return data;
}

const readJob = (from) => JSON.parse(exactly(exactly(4, from).readUInt32LE(0), from).toString());

function folder() {
  const own = dirname(fileURLToPath(import.meta.url));
  try {
    accessSync(own, constants.W_OK);
    return own;
  } catch {
    return process.env.TMPDIR;
  }
}

// Such an end is told only after the listeners have been called: it is left to take its time.
let fatal = false;
process.on('uncaughtExceptionMonitor', () => (fatal = true));

// Where nothing is left to be done and the script still awaits something, node ends with 13.
let awaits = true;
let idle = false;
process.on('beforeExit', () => (idle = true));

// What is being written to a file when `process.exit` is called still is written: such an end takes its time as well.
const isBusy = () => process.getActiveResourcesInfo().some((resource) => resource !== 'PipeWrap');

// First in the list, so that the script's own listeners are called from here and the report comes after them.
function report(code) {
  if (fatal || isBusy()) return;
  if (awaits && idle) process.exitCode ??= 13;
  for (const listener of process.listeners('exit')) if (listener !== report) listener.call(process, process.exitCode ?? code);
  const end = Number(process.exitCode ?? code) & 255;
  try {
    if (!isBusy()) writeSync(REPORT, Buffer.from([end]));
  } catch {}
  process.reallyExit(end); // the listeners are not called again
}

// A script that imports and exports nothing needs no loader of modules, which takes as long as all the rest: it runs as a module does,
// strictly and with `await`.
async function run(filename, code) {
  if (/^#!|\b(?:import|export)\b/.test(code)) return import(filename);
  const begin = "(async function () {'use strict';";
  return new Script(begin + code + '\n})', { filename, columnOffset: -begin.length }).runInThisContext().call(undefined);
}

// What nearly every script does is compiled when it is done for the first time: here, while nobody waits.
async function warm(path) {
  await import('./blank.mjs');
  await run(filename, '');
  new Console(new Writable({ write: (piece, encoding, next) => next() })).log('%s', '', 1, { list: [true] });
  for (const stream of [process.stdout, process.stderr]) {
    stream.write('');
    stream.write = () => true;
  }
  console.log('%s', '', 1, { list: [true] });
  console.error('');
  delete process.stdout.write;
  delete process.stderr.write;
  const text = Buffer.from(JSON.stringify({ code: 'x', arguments: ['x'], environment: { X: 'x' } }));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  writeFileSync(path, Buffer.concat([size, text]));
  const file = openSync(path);
  Object.assign({}, readJob(file).environment);
  closeSync(file);
  isBusy();
}

// What a script prints is written when it prints: one that never lets go would else fill the memory, and nobody would see any of it.
for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true);

const path = folder() + '/script.mjs';
const filename = pathToFileURL(path).href;

function serve() {
  const file = openSync(path, 'w');
  globalThis.require = createRequire(process.cwd() + '/script.js');
  const job = readJob(0);
  writeFileSync(file, job.code);
  closeSync(file);
  Object.assign(process.env, job.environment);
  const list = Array.isArray(job.arguments);
  process.argv = [process.argv[0], path, ...(list ? job.arguments : [])];
  if (!list) {
    for (const [name, value] of Object.entries(job.arguments ?? {})) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    }
  }
  process.on('exit', report);
  run(filename, job.code).finally(() => (awaits = false));
}

await warm(path);
// Not from here: what follows the end of this file in the loader of modules is over then, and takes as long as a small script.
setImmediate(serve);
)";

}  // namespace

ProcessSpec javascript_worker() {
  ProcessSpec spec;
  spec.kind = "javascript";
  spec.reports = true;
  spec.files = {{"worker.mjs", kJavascript}, {"blank.mjs", ""}};
  spec.command = [](const std::string& folder) { return std::vector<std::string>{"node", folder + "/worker.mjs"}; };
  return spec;
}

ProcessSpec python_worker() {
  ProcessSpec spec;
  spec.kind = "python";
  spec.reports = true;
  spec.files = {{"worker.py", kPython}};
  spec.command = [](const std::string& folder) { return std::vector<std::string>{"python3", "-B", folder + "/worker.py"}; };
  return spec;
}

std::string worker_job(std::string_view code, const json::Value& arguments, const json::Value& environment) {
  const std::string text =
      json::to_text(json::Value::object({{"code", to_utf8(std::string(code))}, {"arguments", arguments}, {"environment", environment}}));
  std::string job;
  for (unsigned shift = 0; shift < 32; shift += 8) job.push_back(static_cast<char>((text.size() >> shift) & 0xFFU));
  return job + text;
}

}  // namespace pawl::functions
