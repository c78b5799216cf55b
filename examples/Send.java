// Sends a mail with an attachment through Postern.
//
//     java Send.java [--queue] FILE TO...
//
// POSTERN_URL says where Postern is, POSTERN_API_KEY who asks. The exit status is 0 if the mail was sent (with --queue:
// is kept, and will be) to everyone. Java 17 or newer.

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

@SuppressWarnings("unchecked")
public class Send {
    static final int ATTEMPTS = 5;
    static final Duration TIMEOUT = Duration.ofSeconds(90); // more than Postern gives a relay (POSTERN_TIMEOUT)
    static final String URL = System.getenv().getOrDefault("POSTERN_URL", "http://127.0.0.1:8025");
    static final String API_KEY = System.getenv("POSTERN_API_KEY");
    static final HttpClient client = HttpClient.newHttpClient();

    static Map<String, Object> message(Path file, List<String> recipients) throws IOException {
        var content = Base64.getEncoder().encodeToString(Files.readAllBytes(file));
        return Json.object(
            "from", "Shop <shop@example.com>",
            "to", recipients,
            "subject", "您的订单 №1234",
            "html", "<p>谢谢您的订单。</p>",
            "text", "谢谢您的订单。",
            "attachments", List.of(Json.object("filename", file.getFileName().toString(), "content", content)));
    }

    /** status: 0 where nothing of Postern's came; retryAfter: seconds. */
    record Answer(int status, Map<String, Object> body, long retryAfter) {
        boolean taken() {
            return status == 200 || status == 202 || status == 207;
        }

        /** The objects of an array that need not be there. */
        List<Map<String, Object>> list(String name) {
            return (List<Map<String, Object>>) body.getOrDefault(name, List.of());
        }

        Map<String, Object> smtp() {
            return (Map<String, Object>) body.get("smtp");
        }
    }

    /** One request. */
    static Answer attempt(String path, String body, String key) throws InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(URL + path)).timeout(TIMEOUT)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", "\"" + key + "\"")
            .POST(BodyPublishers.ofString(body));
        if (API_KEY != null) {
            request.header("Authorization", "Bearer " + API_KEY);
        }
        try {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            return new Answer(response.statusCode(), (Map<String, Object>) Json.read(response.body()),
                response.headers().firstValueAsLong("Retry-After").orElse(0));
        } catch (IOException | RuntimeException e) { // RuntimeException: no JSON, a proxy's
            return new Answer(0,
                Json.object("title", "No answer", "detail", e, "retryable", true, "outcome", "unknown"), 0);
        }
    }

    /** The answer, when there is one that another attempt wouldn't change. */
    static Answer post(String path, Map<String, Object> document) throws InterruptedException {
        var body = Json.write(document);
        // By its key Postern knows a mail that comes again, and sends it once. Better than chance is what the mail is
        // about ("order-1234-thanks"): then it is sent once if this program is started again, too.
        var key = UUID.randomUUID().toString();
        for (int n = 0;; n++) {
            var answer = attempt(path, body, key);
            if (answer.taken()) {
                return answer;
            }
            tell(answer);
            if (!(boolean) answer.body.get("retryable") || n + 1 == ATTEMPTS) {
                return answer;
            }
            long wait = Math.max(answer.retryAfter, 1 << n);
            System.err.println("  The next attempt is in " + wait + " s.");
            Thread.sleep(wait * 1000);
        }
    }

    static void tell(Answer problem) {
        var body = problem.body;
        System.err.println(problem.status + " " + body.get("title") + ": " + body.get("detail"));
        for (var fault : problem.list("errors")) { // every fault of the request, and where it is
            System.err.println("  " + fault.get("pointer") + ": " + fault.get("detail"));
        }
        if (problem.smtp() != null) {
            System.err.println("  The relay said: " + reply(problem.smtp()));
        }
        if (body.containsKey("hint")) {
            System.err.println("  " + body.get("hint"));
        }
        if (body.get("outcome").equals("unknown")) {
            System.err.println("  It may have been sent all the same.");
        }
    }

    static String reply(Map<String, Object> smtp) {
        var enhanced = smtp.get("enhanced") == null ? "" : smtp.get("enhanced");
        return smtp.get("code") + " " + enhanced + " " + smtp.get("message");
    }

    public static void main(String[] args) throws Exception {
        var rest = new ArrayList<>(Arrays.asList(args));
        boolean queue = rest.remove("--queue");
        if (rest.size() < 2) {
            System.err.println("usage: java Send.java [--queue] FILE TO...");
            System.exit(1);
        }
        var answer = post(queue ? "/v1/messages" : "/v1/send",
            message(Path.of(rest.get(0)), rest.subList(1, rest.size())));
        if (answer.status == 202) {
            var id = answer.body.get("id");
            System.out.println("Kept as " + id + ": GET /v1/messages/" + id + " says what becomes of it.");
        } else if (answer.taken()) {
            System.out.println("Sent by relay " + answer.body.get("relay") + ": " + reply(answer.smtp()));
        }
        // Of 202: addresses that are known to be gone.
        var leftOut = new ArrayList<Object>((List<?>) answer.body.getOrDefault("suppressed", List.of()));
        for (var one : answer.list("rejected")) {
            var smtp = (Map<String, Object>) one.get("smtp");
            leftOut.add(one.get("email") + ": " + (smtp != null ? reply(smtp) : one.get("code")));
        }
        for (var one : leftOut) {
            System.err.println("  not to " + one);
        }
        System.exit(leftOut.isEmpty() && answer.taken() ? 0 : 1);
    }

    /** As Java has none of its own. A backend has Jackson, Gson or the like: take that. */
    static class Json {
        /** Of names and values. They keep their order, because the same mail is to be the same request each time. */
        static Map<String, Object> object(Object... members) {
            var map = new LinkedHashMap<String, Object>();
            for (int i = 0; i < members.length; i += 2) {
                map.put((String) members[i], members[i + 1]);
            }
            return map;
        }

        static String write(Object value) {
            if (value instanceof Map<?, ?> map) {
                return map.entrySet().stream().map(e -> write(e.getKey()) + ":" + write(e.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
            }
            if (value instanceof List<?> list) {
                return list.stream().map(Json::write).collect(Collectors.joining(",", "[", "]"));
            }
            var out = new StringBuilder("\"");
            for (char c : value.toString().toCharArray()) {
                out.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
            }
            return out.append('"').toString();
        }

        static Object read(String text) {
            return new Json(text).value();
        }

        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        private char peek() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            if (at == text.length()) {
                throw new IllegalArgumentException("The JSON ends too early");
            }
            return text.charAt(at);
        }

        /** Goes on if this character is next. */
        private boolean take(char wanted) {
            boolean there = peek() == wanted;
            at += there ? 1 : 0;
            return there;
        }

        private void expect(char wanted) {
            if (!take(wanted)) {
                throw new IllegalArgumentException("No JSON at character " + at);
            }
        }

        private Object value() {
            if (take('{')) {
                var map = new LinkedHashMap<String, Object>();
                while (!take('}')) {
                    if (!map.isEmpty()) {
                        expect(',');
                    }
                    var name = string();
                    expect(':');
                    map.put(name, value());
                }
                return map;
            }
            if (take('[')) {
                var list = new ArrayList<Object>();
                while (!take(']')) {
                    if (!list.isEmpty()) {
                        expect(',');
                    }
                    list.add(value());
                }
                return list;
            }
            return peek() == '"' ? string() : word();
        }

        private String string() {
            expect('"');
            var out = new StringBuilder();
            for (char c; (c = text.charAt(at++)) != '"';) {
                if (c == '\\') {
                    c = text.charAt(at++);
                    int escape = "nrtbf".indexOf(c);
                    if (c == 'u') {
                        c = (char) Integer.parseInt(text.substring(at, at += 4), 16);
                    } else if (escape >= 0) {
                        c = "\n\r\t\b\f".charAt(escape);
                    }
                }
                out.append(c);
            }
            return out.toString();
        }

        /** A number stays as it is written. */
        private Object word() {
            int start = at;
            while (at < text.length() && ",]}".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            var word = text.substring(start, at).strip();
            return switch (word) {
                case "null" -> null;
                case "true", "false" -> Boolean.valueOf(word);
                default -> word;
            };
        }
    }
}
