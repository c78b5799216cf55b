#include "lint/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

static const char *const bait[] = {
    /* what is for free, and what is won */
    "100% free",
    "free gift",
    "free money",
    "free access",
    "free iphone",
    "free trial offer",
    "you have won",
    "you've won",
    "you won",
    "winner",
    "lottery",
    "jackpot",
    "claim your prize",
    "claim now",
    "cash prize",
    "congratulations you",
    /* money */
    "make money",
    "earn money",
    "extra income",
    "cash bonus",
    "easy money",
    "double your",
    "get rich",
    "risk free",
    "risk-free",
    "no risk",
    "100% guaranteed",
    "money back guarantee",
    "investment opportunity",
    "million dollars",
    "wire transfer",
    "inheritance",
    "no fees",
    "lowest price",
    "best price",
    "debt free",
    "cheap loans",
    "instant loan",
    "refinance",
    "guaranteed approval",
    "bitcoin doubler",
    "financial freedom",
    "extra cash",
    "bad credit",
    "free quote",
    "next of kin",
    "strictly confidential",
    "unclaimed",
    "dear friend",
    "dear sir",
    "dear beneficiary",
    "guaranteed!",
    /* hurry */
    "act now",
    "act immediately",
    "click here now",
    "limited time offer",
    "offer expires",
    "urgent",
    "once in a lifetime",
    "don't miss out",
    "last chance",
    "order now",
    "buy now",
    "apply now",
    "don't delete",
    "this is not spam",
    "not spam",
    /* what passwords are fished with */
    "verify your account",
    "confirm your account",
    "account suspended",
    "account has been suspended",
    "update your billing",
    "unusual sign-in",
    "password expires",
    "mailbox is full",
    /* goods */
    "viagra",
    "cialis",
    "weight loss",
    "lose weight",
    "miracle cure",
    "online pharmacy",
    "no prescription",
    "erection",
    "sexual performance",
    "adult site",
    "replica watches",
    "rolex",
    "online casino",
    "casino bonus",
    "adult content",
    "hot singles",
    /* the same in Chinese */
    "免费",
    "免費",
    "中奖",
    "中獎",
    "恭喜您",
    "恭喜你",
    "点击领取",
    "點擊領取",
    "立即领取",
    "领取红包",
    "红包",
    "大奖",
    "抽奖",
    "代开发票",
    "发票代开",
    "代开",
    "正规发票",
    "优惠",
    "特价",
    "秒杀",
    "清仓",
    "限时",
    "最后机会",
    "马上抢购",
    "立即抢购",
    "赚钱",
    "月入",
    "日赚",
    "兼职",
    "刷单",
    "返利",
    "高收益",
    "稳赚",
    "无抵押",
    "信用卡套现",
    "套现",
    "投资机会",
    "一夜暴富",
    "博彩",
    "彩票",
    "赌场",
    "六合彩",
    "私彩",
    "约炮",
    "裸聊",
    "壮阳",
    "伟哥",
    "减肥",
    "祛斑",
    "加微信",
    "加QQ",
    "账户异常",
    "账号异常",
    "帐号异常",
    "密码过期",
    "邮箱已满",
    "邮箱升级",
    "补贴申领",
    "工资补贴",
};

/* Phrases that a rule of SpamAssassin's (20_phrases.cf, 72_active.cf) or Rspamd's (misc.lua) is
 * about. */
static const char *const charged[] = {
    "100% guaranteed",
    "guaranteed!",
    "guarantee!",
    "risk free",
    "risk-free",
    "money back guarantee",
    "dear friend",
    "dear sir",
    "dear sirs",
    "dear madam",
    "dear investor",
    "dear candidate",
    "dear winner",
    "dear beneficiary",
    "my name is",
    "i am mr",
    "i am mrs",
    "i am dr",
    "this is mr",
    "this is mrs",
    "this is dr",
    "to be removed please",
    "to be removed, please",
    "future mailings",
    "future mailing",
    "future emails",
    "future e-mails",
    "future e-mail",
    "future offers",
    "this advertisement",
    "this promotion",
    "this promo",
    "this ad",
    "one time mailing",
    "marketing partners",
    "this is not spam",
    "this email is not spam",
    "this e-mail is not spam",
    "this message is not spam",
    "we are not spam",
    "unclaimed funds",
    "unclaimed money",
    "unclaimed account",
    "unclaimed accounts",
    "unclaimed prize",
    "unclaimed payment",
    "unclaimed balance",
    "low price",
    "low prices",
    "lowest price",
    "bad credit",
    "poor credit",
    "no credit check",
    "credit history",
    "instant quote",
    "free instant",
    "no obligation quote",
    "as seen on",
    "no prescription",
    "viagra",
    "cialis",
    "online pharmacy",
    "lose weight",
    "weight loss",
    "increased stamina",
    "impotence",
    "financial freedom",
    "free consultation",
};

static const char *const providers[] = {
    "gmail.com",      "googlemail.com", "outlook.com", "hotmail.com", "live.com",
    "msn.com",        "yahoo.com",      "ymail.com",   "aol.com",     "icloud.com",
    "me.com",         "mac.com",        "mail.ru",     "bk.ru",       "yandex.ru",
    "yandex.com",     "gmx.de",         "gmx.net",     "gmx.com",     "web.de",
    "t-online.de",    "orange.fr",      "free.fr",     "libero.it",   "mail.com",
    "zoho.com",       "proton.me",      "excite.com",  "lycos.com",   "netscape.net",
    "protonmail.com", "qq.com",         "foxmail.com", "163.com",     "126.com",
    "yeah.net",       "sina.com",       "sina.cn",     "sohu.com",    "139.com",
    "189.cn",         "aliyun.com",     "naver.com",   "daum.net",    "hanmail.net",
    "rediffmail.com",
};

static const char *const shorteners[] = {
    "bit.ly",   "tinyurl.com", "t.co",     "goo.gl",      "ow.ly",    "is.gd",     "v.gd",
    "buff.ly",  "rebrand.ly",  "cutt.ly",  "rb.gy",       "tiny.cc",  "t.ly",      "s.id",
    "adf.ly",   "bl.ink",      "dlvr.it",  "shorturl.at", "lnkd.in",  "bit.do",    "mcaf.ee",
    "soo.gd",   "qr.ae",       "tr.im",    "x.co",        "trib.al",  "j.mp",      "amzn.to",
    "fb.me",    "youtu.be",    "t.cn",     "url.cn",      "w.url.cn", "dwz.cn",    "suo.im",
    "sourl.cn", "6du.in",      "mrw.so",   "u.nu",        "985.so",   "suo.nz",    "dwz.mk",
    "tb.cn",    "m.tb.cn",     "u.jd.com", "3.cn",        "kutt.it",  "shorte.st", "clck.ru",
    "vk.cc",    "surl.li",     "short.io", "shrtco.de",   "tiny.one", "urlz.fr",   "han.gl",
};

/* https://support.google.com/mail/answer/6590 */
static const char *const blocked[] = {
    "ade", "adp", "apk",     "appx",    "appxbundle", "bat", "cab", "chm",  "cmd",
    "com", "cpl", "diagcab", "diagcfg", "diagpkg",    "dll", "dmg", "ex",   "ex_",
    "exe", "hta", "img",     "ins",     "iso",        "isp", "jar", "jnlp", "js",
    "jse", "lib", "lnk",     "mde",     "mjs",        "msc", "msi", "msix", "msixbundle",
    "msp", "mst", "nsh",     "pif",     "ps1",        "scr", "sct", "shb",  "sys",
    "vb",  "vbe", "vbs",     "vhd",     "vxd",        "wsc", "wsf", "wsh",  "xll",
};

static const char *const macros[] = {"docm",  "dotm", "xlsm", "xltm", "xlam", "pptm", "potm",
                                     "ppam",  "ppsm", "sldm", "xlsb", "htm",  "html", "shtml",
                                     "xhtml", "svg",  "one",  "url",  "reg"};

static const char *const documents[] = {"pdf", "doc", "docx", "xls", "xlsx", "ppt",  "pptx", "txt",
                                        "rtf", "odt", "ods",  "csv", "jpg",  "jpeg", "png",  "gif",
                                        "bmp", "mp3", "mp4",  "avi", "mov",  "zip",  "rar",  "7z"};

static bool is_one_of(const char *s, size_t len, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(list[i]) == len && strncasecmp(s, list[i], len) == 0)
            return true;
    }
    return false;
}

#define IS_ONE_OF(s, len, list) is_one_of(s, len, list, sizeof(list) / sizeof *(list))

bool words_is_shortener(const char *host, size_t len)
{
    if (len > 4 && strncasecmp(host, "www.", 4) == 0) {
        host += 4;
        len -= 4;
    }
    return IS_ONE_OF(host, len, shorteners);
}

bool words_is_blocked(const char *ending, size_t len)
{
    return IS_ONE_OF(ending, len, blocked);
}

bool words_is_macro(const char *ending, size_t len)
{
    return IS_ONE_OF(ending, len, macros);
}

bool words_is_document(const char *ending, size_t len)
{
    return IS_ONE_OF(ending, len, documents);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* ---- bait ---- */

#define LIST_MOST 256 /* words of a list */

/* Whether the word is at s[at], and whole if it is a Latin one. */
static bool is_word_at(const char *s, size_t len, size_t at, const char *word, size_t n)
{
    if (len - at < n || strncasecmp(s + at, word, n) != 0)
        return false;
    bool latin = is_alnum(word[0]);
    return !latin || ((at == 0 || !is_alnum(s[at - 1])) && (at + n == len || !is_alnum(s[at + n])));
}

/* Most words of a text begin as none of the list does: each is compared with those alone that begin
 * with its letter, in the list's order. */
static words_span find_one_of(const char *s, size_t len, size_t from, const char *const *list,
                              size_t count)
{
    uint16_t first[256] = {0}, next[LIST_MOST]; /* numbers from 1 on */
    for (size_t i = count; i > 0; i--) {
        uint16_t *head = &first[(unsigned char)list[i - 1][0] | 0x20];
        next[i - 1] = *head;
        *head = (uint16_t)i;
    }
    for (size_t at = from; at < len; at++) {
        if (at > 0 && is_alnum(s[at]) && is_alnum(s[at - 1]))
            continue; /* words begin where words do */
        for (size_t i = first[(unsigned char)s[at] | 0x20]; i > 0; i = next[i - 1]) {
            size_t n = strlen(list[i - 1]);
            if (is_word_at(s, len, at, list[i - 1], n))
                return (words_span){at, n};
        }
    }
    return (words_span){0, 0};
}

_Static_assert(sizeof bait / sizeof *bait <= LIST_MOST, "it has room for them");
_Static_assert(sizeof charged / sizeof *charged <= LIST_MOST, "it has room for them");

words_span words_bait(const char *s, size_t len, size_t from)
{
    return find_one_of(s, len, from, bait, sizeof bait / sizeof *bait);
}

words_span words_charged(const char *s, size_t len, size_t from)
{
    return find_one_of(s, len, from, charged, sizeof charged / sizeof *charged);
}

/* ---- money ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t words_currency(const char *s, size_t len, size_t at)
{
    static const char *const signs[] = {
        "$",        "\xC2\xA3",     "\xE2\x82\xAC",
        "\xC2\xA5", "\xEF\xBF\xA5", "\xE2\x82\xBD"}; /* $ £ € ¥ ￥ ₽ */
    if (s[at] != '$' && (unsigned char)s[at] < 0x80)
        return 0;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t n = strlen(signs[i]);
        if (len - at >= n && memcmp(s + at, signs[i], n) == 0)
            return n;
    }
    return 0;
}

/* Reads a number with its groups ("12,500.00"): behind it, and how many digits of it are whole. */
static size_t read_number(const char *s, size_t len, size_t at, size_t *digits)
{
    size_t fraction = 0;
    *digits = 0;
    for (; at < len; at++) {
        bool groups = (s[at] == ',' || s[at] == '.') && at + 1 < len && is_digit(s[at + 1]);
        if (!groups && !is_digit(s[at]))
            break;
        *digits += !groups;
        fraction = groups ? 0 : fraction + 1;
    }
    if (*digits > fraction && fraction < 3)
        *digits -= fraction; /* behind the last sign are two: hundredths */
    return at;
}

static size_t skip_blanks(const char *s, size_t len, size_t at)
{
    while (at < len && (s[at] == ' ' || s[at] == '\n' || s[at] == '\r'))
        at++;
    return at;
}

static size_t word_of(const char *s, size_t len, size_t at, const char *const *list, size_t count)
{
    for (size_t i = 0; at < len && i < count; i++) {
        if (is_word_at(s, len, at, list[i], strlen(list[i])))
            return strlen(list[i]);
    }
    return 0;
}

words_span words_money(const char *s, size_t len, size_t from)
{
    static const char *const many[] = {"million", "millions", "billion", "mln", "mio"};
    static const char *const names[] = {
        "dollars", "usd",    "us dollars", "united states dollars", "u.s. dollars", "euros", "euro",
        "eur",     "pounds", "gbp",        "pounds sterling",       "bucks"};
    for (size_t at = from; at < len; at++) {
        if (is_letter(s[at]) || s[at] == ' ')
            continue;
        size_t sign = words_currency(s, len, at), digits;
        size_t begin = sign > 0 ? skip_blanks(s, len, at + sign) : at;
        if (begin >= len || !is_digit(s[begin]) || (sign == 0 && at > 0 && is_alnum(s[at - 1])))
            continue;
        size_t end = read_number(s, len, begin, &digits), more = skip_blanks(s, len, end);
        size_t n = word_of(s, len, more, many, sizeof many / sizeof *many);
        bool large = digits >= 5 || n > 0;
        if (n > 0)
            end = more + n;
        if (sign == 0) {
            more = skip_blanks(s, len, end);
            n = word_of(s, len, more, names, sizeof names / sizeof *names);
            end = n > 0 ? more + n : end;
        }
        if (large && (sign > 0 || n > 0))
            return (words_span){at, end - at};
        at = end - 1;
    }
    return (words_span){0, 0};
}

/* ---- what wasn't filled in ---- */

static bool is_of_name(char c)
{
    return is_alnum(c) || c == '_' || c == '.' || c == '-' || c == ':';
}

/* A name between: letters, digits, and what joins them; blanks at its ends. */
static size_t read_name(const char *s, size_t len, size_t at)
{
    size_t begin = skip_blanks(s, len, at), end = begin;
    while (end < len && is_of_name(s[end]) && end - begin < 64)
        end++;
    return end > begin ? skip_blanks(s, len, end) : at;
}

words_span words_placeholder(const char *s, size_t len, size_t from)
{
    static const struct {
        const char *begin, *end;
    } marks[] = {{"{{{", "}}}"}, {"{{", "}}"}, {"*|", "|*"}, {"%%", "%%"},
                 {"${", "}"},    {"%rnd", ""}, {"%rand", ""}};
    for (size_t at = from; at < len; at++) {
        if (s[at] != '{' && s[at] != '*' && s[at] != '%' && s[at] != '$')
            continue;
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
            if (!words_begin(s + at, len - at, marks[i].begin))
                continue;
            size_t begin = at + strlen(marks[i].begin), end = read_name(s, len, begin);
            if ((end > begin || !*marks[i].end) && words_begin(s + end, len - end, marks[i].end))
                return (words_span){at, end + strlen(marks[i].end) - at};
        }
    }
    return (words_span){0, 0};
}

/* ---- hosts ---- */

/* "yahoo.fr" and "hotmail.co.uk" are it, too. */
bool words_is_public(const char *domain, size_t len)
{
    return IS_ONE_OF(domain, len, providers) || words_begin(domain, len, "yahoo.") ||
           words_begin(domain, len, "hotmail.");
}

words_span words_registered(const char *host, size_t len)
{
    static const char *const seconds[] = {"com", "net", "org", "gov", "edu", "ac",  "co",
                                          "or",  "ne",  "go",  "gob", "mil", "nom", "idv"};
    size_t starts[3] = {0, 0, 0}; /* of the last labels, from the last on */
    size_t count = 0;
    while (len > 0 && host[len - 1] == '.')
        len--;
    for (size_t at = len; at-- > 0 && count < 3;) {
        if (host[at] == '.')
            starts[count++] = at + 1;
    }
    size_t first = count < 2 ? 0 : starts[1];
    bool country = count >= 2 && len - starts[0] == 2;
    if (count == 1 || (country && IS_ONE_OF(host + first, starts[0] - 1 - first, seconds)))
        first = count == 3 ? starts[2] : 0;
    return (words_span){first, len - first};
}

bool words_same_owner(const char *a, size_t a_len, const char *b, size_t b_len)
{
    words_span x = words_registered(a, a_len), y = words_registered(b, b_len);
    return x.len == y.len && strncasecmp(a + x.at, b + y.at, x.len) == 0;
}

/* ---- what stands for another character ---- */

/* Cyrillic and Greek letters that look like Latin ones. */
static bool is_double(uint32_t c)
{
    static const uint16_t doubles[] = {
        0x430, 0x435, 0x43E, 0x440, 0x441, 0x443, 0x445, 0x455, 0x456, 0x458, 0x475,
        0x4BB, 0x501, 0x51B, 0x51D, 0x410, 0x412, 0x415, 0x41A, 0x41C, 0x41D, 0x41E,
        0x420, 0x421, 0x422, 0x423, 0x425, 0x405, 0x406, 0x408, 0x4AE, 0x3BF, 0x3B1,
        0x3BD, 0x3C1, 0x3C4, 0x3C5, 0x3B9, 0x3BA, 0x3C7, 0x391, 0x392, 0x395, 0x396,
        0x397, 0x399, 0x39A, 0x39C, 0x39D, 0x39F, 0x3A1, 0x3A4, 0x3A5, 0x3A7,
    };
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        if (doubles[i] == c)
            return true;
    }
    return false;
}

static bool is_other_letter(uint32_t c)
{
    return (c >= 0x370 && c <= 0x52F) || (c >= 0xC0 && c <= 0x24F);
}

words_span words_homoglyph(const char *s, size_t len, size_t from)
{
    for (size_t at = from; at < len;) {
        size_t begin = at, latin = 0, doubles = 0, letters = 0;
        while (at < len) {
            uint32_t c = (unsigned char)s[at];
            size_t n = c < 0x80 ? 1 : utf8_decode(s + at, len - at, &c);
            if (n == 0 || !(is_letter((char)(c < 0x80 ? c : 0)) || is_other_letter(c)))
                break;
            latin += c < 0x80;
            doubles += c >= 0x80 && is_double(c);
            letters++;
            at += n;
        }
        if (latin > 0 && doubles > 0 && letters > 2)
            return (words_span){begin, at - begin};
        if (at == begin)
            at++;
    }
    return (words_span){0, 0};
}

static size_t word_begin(const char *s, size_t at)
{
    while (at > 0 && is_alnum(s[at - 1]))
        at--;
    return at;
}

/* U+200B, U+200C, U+200D, U+2060 and U+FEFF. Between letters of Latin they join nothing. */
static size_t zero_width_at(const char *s, size_t len, size_t at)
{
    static const char *const all[] = {"\xE2\x80\x8B", "\xE2\x80\x8C", "\xE2\x80\x8D",
                                      "\xE2\x81\xA0", "\xEF\xBB\xBF"};
    for (size_t i = 0; len - at >= 3 && i < sizeof all / sizeof *all; i++) {
        if (memcmp(s + at, all[i], 3) == 0)
            return 3;
    }
    return 0;
}

words_span words_zero_width(const char *s, size_t len, size_t from)
{
    for (size_t at = from; at < len; at++) {
        size_t end = at, n;
        if ((unsigned char)s[at] < 0x80 || at == 0 || !is_letter(s[at - 1]))
            continue;
        while ((n = zero_width_at(s, len, end)) > 0)
            end += n;
        if (end == at || end >= len || !is_letter(s[end]))
            continue;
        size_t begin = word_begin(s, at);
        begin = begin < from ? from : begin;
        while (end < len && (is_alnum(s[end]) || zero_width_at(s, len, end)))
            end++;
        return (words_span){begin, end - begin};
    }
    return (words_span){0, 0};
}

/* ---- sets of words ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_ideograph(uint32_t c)
{
    return c >= 0x2E80 && c < 0x1F000 && !(c >= 0x3000 && c < 0x3040) &&
           !(c >= 0xFE00 && c < 0xFF66);
}

/* The end of the word at s[at], and what it is; 0: none that counts. */
static size_t read_word(const char *s, size_t len, size_t at, uint32_t *word)
{
    uint32_t hash = 2166136261U, c;
    size_t letters = 0, digits = 0;
    *word = 0;
    while (at < len) {
        size_t n = utf8_decode(s + at, len - at, &c);
        bool letter =
            n > 0 && (c >= 0x80 ? c >= 0xC0 && !(c >= 0x2000 && c < 0x2E80) : is_alnum((char)c));
        if (n > 0 && is_ideograph(c)) {
            if (letters > 0)
                break;
            *word = c;
            return at + n;
        }
        if (!letter) {
            at += letters > 0 ? 0 : n ? n : 1;
            break;
        }
        letters++;
        digits += c >= '0' && c <= '9';
        hash = (hash ^ (c < 0x80 ? c | 0x20 : c)) * 16777619U;
        at += n;
    }
    if (letters > 1 && digits == 0)
        *word = hash | 1;
    return at;
}

static bool is_address(const char *s, size_t len)
{
    static const char *const begins[] = {"http://", "https://", "mailto:", "www."};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t n = strlen(begins[i]);
        if (len >= n && strncasecmp(s, begins[i], n) == 0)
            return true;
    }
    return false;
}

bool words_set(const char *s, size_t len, buf *set)
{
    for (size_t at = 0; at < len;) {
        uint32_t word;
        if (is_address(s + at, len - at)) {
            while (at < len && (unsigned char)s[at] > ' ' && s[at] != '>')
                at++;
            continue;
        }
        at = read_word(s, len, at, &word);
        if (word)
            buf_add(set, &word, sizeof word);
    }
    if (!buf_ok(set))
        return false;
    uint32_t *list = (uint32_t *)(void *)set->data;
    size_t count = set->len / sizeof *list, kept = 0;
    if (count > 0)
        qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || list[kept - 1] != list[i])
            list[kept++] = list[i];
    }
    set->len = kept * sizeof *list;
    return true;
}

size_t words_shared(const buf *a, const buf *b, size_t *of)
{
    const uint32_t *x = (const uint32_t *)(const void *)a->data;
    const uint32_t *y = (const uint32_t *)(const void *)b->data;
    size_t n = a->len / sizeof *x, m = b->len / sizeof *y, shared = 0;
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (x[i] == y[k]) {
            shared++;
            i++;
            k++;
        } else if (x[i] < y[k]) {
            i++;
        } else {
            k++;
        }
    }
    *of = n;
    return shared;
}

bool words_begin(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word);
    return len >= n && strncasecmp(s, word, n) == 0;
}
