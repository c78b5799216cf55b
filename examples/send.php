#!/usr/bin/env php
<?php
// Sends a mail with an attachment through Postern.
//
//     php send.php [--queue] FILE TO...
//
// POSTERN_URL says where Postern is, POSTERN_API_KEY who asks. The exit status is 0 if the mail was sent (with --queue:
// is kept, and will be) to everyone. PHP 8 with its extension curl.

declare(strict_types=1);

const ATTEMPTS = 5;
const TIMEOUT = 90; // seconds: more than Postern gives a relay (POSTERN_TIMEOUT)

function message(string $file, array $recipients): array
{
    $content = file_get_contents($file);
    if ($content === false) {
        exit(1); // PHP has said why
    }
    return [
        'from' => 'Shop <shop@example.com>',
        'to' => $recipients,
        'subject' => '您的订单 №1234',
        'html' => '<p>谢谢您的订单。</p>',
        'text' => '谢谢您的订单。',
        'attachments' => [['filename' => basename($file), 'content' => base64_encode($content)]],
    ];
}

/** One request: its status (0: nothing of Postern's came), the answer, and the seconds of Retry-After. */
function attempt(string $path, string $body, string $key): array
{
    $headers = ['Content-Type: application/json', "Idempotency-Key: \"$key\""];
    if (getenv('POSTERN_API_KEY')) {
        $headers[] = 'Authorization: Bearer ' . getenv('POSTERN_API_KEY');
    }
    $retryAfter = 0;
    $curl = curl_init((getenv('POSTERN_URL') ?: 'http://127.0.0.1:8025') . $path);
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_TIMEOUT => TIMEOUT,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$retryAfter): int {
            if (preg_match('/^retry-after: *(\d+)/i', $line, $found)) {
                $retryAfter = (int) $found[1];
            }
            return strlen($line);
        },
    ]);
    $text = curl_exec($curl);
    $answer = $text === false ? null : json_decode($text, true);
    if (!is_array($answer)) { // nothing came, or a proxy's
        $detail = curl_error($curl) ?: substr((string) $text, 0, 200);
        return [0, ['title' => 'No answer', 'detail' => $detail, 'retryable' => true, 'outcome' => 'unknown'], 0];
    }
    return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $answer, $retryAfter];
}

/** The answer, when there is one that another attempt wouldn't change. */
function post(string $path, array $document): array
{
    $body = json_encode($document, JSON_THROW_ON_ERROR);
    // By its key Postern knows a mail that comes again, and sends it once. Better than chance is what the mail is about
    // ("order-1234-thanks"): then it is sent once if this program is started again, too.
    $key = bin2hex(random_bytes(16));
    for ($n = 0; ; $n++) {
        [$status, $answer, $retryAfter] = attempt($path, $body, $key);
        if (in_array($status, [200, 202, 207])) {
            return [$status, $answer];
        }
        tell($status, $answer);
        if (!$answer['retryable'] || $n + 1 === ATTEMPTS) {
            return [$status, $answer];
        }
        $wait = max($retryAfter, 2 ** $n);
        fwrite(STDERR, "  The next attempt is in $wait s.\n");
        sleep($wait);
    }
}

function tell(int $status, array $problem): void
{
    fwrite(STDERR, "$status {$problem['title']}: {$problem['detail']}\n");
    foreach ($problem['errors'] ?? [] as $fault) { // every fault of the request, and where it is
        fwrite(STDERR, "  {$fault['pointer']}: {$fault['detail']}\n");
    }
    if (isset($problem['smtp'])) {
        fwrite(STDERR, '  The relay said: ' . reply($problem['smtp']) . "\n");
    }
    if (isset($problem['hint'])) {
        fwrite(STDERR, "  {$problem['hint']}\n");
    }
    if ($problem['outcome'] === 'unknown') {
        fwrite(STDERR, "  It may have been sent all the same.\n");
    }
}

function reply(array $smtp): string
{
    return "{$smtp['code']} {$smtp['enhanced']} {$smtp['message']}";
}

$arguments = array_values(array_diff(array_slice($argv, 1), ['--queue']));
if (count($arguments) < 2) {
    fwrite(STDERR, "usage: php send.php [--queue] FILE TO...\n");
    exit(1);
}
$path = in_array('--queue', $argv) ? '/v1/messages' : '/v1/send';
[$status, $answer] = post($path, message($arguments[0], array_slice($arguments, 1)));
if ($status === 202) {
    echo "Kept as {$answer['id']}: GET /v1/messages/{$answer['id']} says what becomes of it.\n";
} elseif ($status === 200 || $status === 207) {
    echo "Sent by relay {$answer['relay']}: " . reply($answer['smtp']) . "\n";
}
$leftOut = $answer['suppressed'] ?? []; // of 202: addresses that are known to be gone
foreach ($answer['rejected'] ?? [] as $one) {
    $leftOut[] = "{$one['email']}: " . (isset($one['smtp']) ? reply($one['smtp']) : $one['code']);
}
foreach ($leftOut as $one) {
    fwrite(STDERR, "  not to $one\n");
}
exit($leftOut || !in_array($status, [200, 202]) ? 1 : 0);
