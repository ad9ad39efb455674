// Reads one recorded stream with the provider's own client, and tells what it makes of it: node read.mjs WIRE ADDRESS
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { Ollama } from 'ollama';
import OpenAI from 'openai';

const [wire, address] = process.argv.slice(2);
const messages = [{ role: 'user', content: 'hello' }];
const told = { text: '', calls: [] };
const call = (id, name, args) => told.calls.push({ id, name, arguments: args });

const READERS = {
  async chat() {
    const client = new OpenAI({ apiKey: 'k', baseURL: `${address}/v1`, maxRetries: 0 });
    const done = await client.chat.completions.stream({ model: 'm', messages, stream_options: { include_usage: true } }).finalChatCompletion();
    const { message, finish_reason } = done.choices[0];
    told.text = message.content;
    for (const one of message.tool_calls ?? []) call(one.id, one.function.name, JSON.parse(one.function.arguments));
    return { finish: finish_reason, input: done.usage.prompt_tokens, output: done.usage.completion_tokens, model: done.model };
  },
  async responses() {
    const client = new OpenAI({ apiKey: 'k', baseURL: `${address}/v1`, maxRetries: 0 });
    const done = await client.responses.stream({ model: 'm', input: 'hello' }).finalResponse();
    told.text = done.output_text;
    for (const one of done.output) if (one.type === 'function_call') call(one.call_id, one.name, JSON.parse(one.arguments));
    return { finish: done.status, input: done.usage.input_tokens, output: done.usage.output_tokens, model: done.model };
  },
  async anthropic() {
    const client = new Anthropic({ apiKey: 'k', baseURL: address, maxRetries: 0 });
    const done = await client.messages.stream({ model: 'm', max_tokens: 100, messages }).finalMessage();
    for (const block of done.content) {
      if (block.type === 'text') told.text += block.text;
      if (block.type === 'tool_use') call(block.id, block.name, block.input);
    }
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = done.usage;
    return { finish: done.stop_reason, input: input_tokens + cache_read_input_tokens + cache_creation_input_tokens, output: output_tokens, model: done.model };
  },
  async gemini() {
    const client = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: address } });
    let last;
    for await (const piece of await client.models.generateContentStream({ model: 'm', contents: 'hello' })) {
      for (const part of piece.candidates?.[0]?.content?.parts ?? []) {
        if (part.text !== undefined && !part.thought) told.text += part.text;
        if (part.functionCall) call(part.functionCall.id, part.functionCall.name, part.functionCall.args);
      }
      last = piece;
    }
    const usage = last.usageMetadata;
    return { finish: last.candidates[0].finishReason, input: usage.promptTokenCount, output: usage.candidatesTokenCount + usage.thoughtsTokenCount, model: last.modelVersion };
  },
  async ollama() {
    const client = new Ollama({ host: address });
    let last;
    for await (const piece of await client.chat({ model: 'm', messages, stream: true })) {
      told.text += piece.message.content;
      for (const one of piece.message.tool_calls ?? []) call(undefined, one.function.name, one.function.arguments);
      last = piece;
    }
    return { finish: last.done_reason, input: last.prompt_eval_count, output: last.eval_count, model: last.model };
  },
};
console.log(JSON.stringify({ ...(await READERS[wire]()), ...told }));
