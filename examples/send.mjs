#!/usr/bin/env node
// Sends a mail with an attachment through Postern.
//
//     node send.mjs [--queue] FILE TO...
//
// POSTERN_URL says where Postern is, POSTERN_API_KEY who asks. The exit status is 0 if the mail was sent (with --queue:
// is kept, and will be) to everyone. Node.js 18 or newer.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const url = process.env.POSTERN_URL ?? 'http://127.0.0.1:8025'
const apiKey = process.env.POSTERN_API_KEY
const attempts = 5
const timeout = 90_000 // ms: more than Postern gives a relay (POSTERN_TIMEOUT)

const message = async (file, recipients) => ({
  from: 'Shop <shop@example.com>',
  to: recipients,
  subject: '您的订单 №1234',
  html: '<p>谢谢您的订单。</p>',
  text: '谢谢您的订单。',
  attachments: [{ filename: basename(file), content: await readFile(file, 'base64') }],
})

// One request: its status (0: nothing of Postern's came), the answer, and the seconds of Retry-After.
async function attempt(path, body, key) {
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': `"${key}"` }
  if (apiKey) headers.Authorization = `Bearer ${apiKey}`
  try {
    const response = await fetch(url + path, { method: 'POST', headers, body, signal: AbortSignal.timeout(timeout) })
    const answer = await response.json() // throws where it isn't, as a proxy's isn't
    return { status: response.status, answer, retryAfter: Number(response.headers.get('Retry-After')) }
  } catch (error) {
    const detail = `${error.message} ${error.cause?.message ?? ''}`
    return { status: 0, answer: { title: 'No answer', detail, retryable: true, outcome: 'unknown' }, retryAfter: 0 }
  }
}

// The answer, when there is one that another attempt wouldn't change.
async function post(path, document) {
  const body = JSON.stringify(document)
  // By its key Postern knows a mail that comes again, and sends it once. Better than chance is what the mail is about
  // ("order-1234-thanks"): then it is sent once if this program is started again, too.
  const key = randomUUID()
  for (let n = 0; ; n++) {
    const { status, answer, retryAfter } = await attempt(path, body, key)
    if ([200, 202, 207].includes(status)) return { status, answer }
    tell(status, answer)
    if (!answer.retryable || n + 1 === attempts) return { status, answer }
    const wait = Math.max(retryAfter, 2 ** n)
    console.error(`  The next attempt is in ${wait} s.`)
    await sleep(wait * 1000)
  }
}

function tell(status, problem) {
  console.error(`${status} ${problem.title}: ${problem.detail}`)
  for (const fault of problem.errors ?? []) { // every fault of the request, and where it is
    console.error(`  ${fault.pointer}: ${fault.detail}`)
  }
  if (problem.smtp) console.error(`  The relay said: ${reply(problem.smtp)}`)
  if (problem.hint) console.error(`  ${problem.hint}`)
  if (problem.outcome === 'unknown') console.error('  It may have been sent all the same.')
}

const reply = (smtp) => `${smtp.code} ${smtp.enhanced ?? ''} ${smtp.message}`

async function main(queue, file, ...recipients) {
  const { status, answer } = await post(queue ? '/v1/messages' : '/v1/send', await message(file, recipients))
  if (status === 202) {
    console.log(`Kept as ${answer.id}: GET /v1/messages/${answer.id} says what becomes of it.`)
  } else if (status === 200 || status === 207) {
    console.log(`Sent by relay ${answer.relay}: ${reply(answer.smtp)}`)
  }
  const leftOut = [
    ...(answer.suppressed ?? []), // of 202: addresses that are known to be gone
    ...(answer.rejected ?? []).map((one) => `${one.email}: ${one.smtp ? reply(one.smtp) : one.code}`),
  ]
  for (const one of leftOut) console.error(`  not to ${one}`)
  return leftOut.length || ![200, 202].includes(status) ? 1 : 0
}

const args = process.argv.slice(2).filter((one) => one !== '--queue')
if (args.length < 2) {
  console.error('usage: node send.mjs [--queue] FILE TO...')
  process.exit(1)
}
process.exitCode = await main(process.argv.includes('--queue'), ...args)
