#include "worker/crawler/html.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "test.h"

struct read {
    struct arena arena;
    struct html_page page;
    struct buf markdown;
    struct err e;
    int code;
};

static struct read *read_page(const char *html)
{
    struct read *r = mem_alloc(sizeof(*r));
    r->markdown = (struct buf)BUF_INIT(LIMIT_DOCUMENT_BYTES);
    r->code = html_read(str_of(html), STR("http://a.test/dir/page.html"), &r->arena, &r->page,
                        &r->markdown, &r->e);
    return r;
}

static void read_free(struct read *r)
{
    arena_done(&r->arena);
    buf_done(&r->markdown);
    free(r);
}

#define CHECK_MARKDOWN(html, want)                                                             \
    do {                                                                                       \
        struct read *r_ = read_page(html);                                                     \
        CHECK_TEXT(buf_text(&r_->markdown), want);                                             \
        read_free(r_);                                                                         \
    } while (0)

TEST(the_head_says_what_the_page_is)
{
    struct read *r = read_page(
        "<!doctype html><html lang='en-GB'><head><title> The\n  title </title>"
        "<meta name=Description content=' About &amp; more '>"
        "<meta property='article:published_time' content='2026-11-20'>"
        "<link rel='stylesheet canonical' href='../canon?x#y'></head><body><h1>No</h1>"
        "<svg><title>picture</title></svg><time datetime='1999-01-01'>old</time>");
    CHECK_TEXT(r->page.title, "The title");
    CHECK_TEXT(r->page.description, "About & more");
    CHECK_TEXT(r->page.published, "2026-11-20");
    CHECK_TEXT(r->page.language, "en-GB");
    CHECK_TEXT(r->page.canonical, "http://a.test/canon?x");
    CHECK(!r->page.noindex && !r->page.nofollow);
    read_free(r);
}

TEST(a_page_without_head_is_read_from_its_body)
{
    struct read *r =
        read_page("<h1>The <i>heading</i></h1><time datetime='2026-01-02'>x</time>");
    CHECK_TEXT(r->page.title, "The heading");
    CHECK_TEXT(r->page.published, "2026-01-02");
    CHECK_TEXT(r->page.description, "");
    read_free(r);
    r = read_page("");
    CHECK_INT(r->code, 0);
    CHECK_TEXT(r->page.title, "");
    CHECK_INT(r->page.link_count, 0);
    read_free(r);
}

TEST(meta_robots_is_read)
{
    struct read *r = read_page("<meta name=ROBOTS content='NoIndex,follow'>");
    CHECK(r->page.noindex && !r->page.nofollow);
    read_free(r);
    r = read_page("<meta name=robots content='none'>");
    CHECK(r->page.noindex && r->page.nofollow);
    read_free(r);
}

TEST(links_are_resolved_and_listed_once)
{
    struct read *r =
        read_page("<a href=x>1</a><a href='./x#y'>2</a><a href='http://A.test:80/dir/x'>3</a>"
                  "<area href=/map><iframe src=frame></iframe><a>no</a>"
                  "<a href='mailto:a@b'>m</a><a href='javascript:x()'>j</a>"
                  "<a href=n rel='external NoFollow'>n</a><template><a href=t></template>");
    static const char *const want[] = {"http://a.test/dir/x", "http://a.test/map",
                                       "http://a.test/dir/frame", "http://a.test/dir/n"};
    CHECK_INT(r->page.link_count, 4);
    for (int i = 0; i < 4; i++)
        CHECK_TEXT(r->page.links[i].url.p, want[i]);
    CHECK(r->page.links[3].nofollow && !r->page.links[0].nofollow);
    CHECK_INT(r->page.other_links, 2);
    read_free(r);
}

TEST(a_base_element_moves_relative_links)
{
    struct read *r = read_page("<base href='/other/'><base href='/no/'><a href=x>x</a>");
    CHECK_TEXT(r->page.links[0].url.p, "http://a.test/other/x");
    read_free(r);
    r = read_page("<base href='javascript:x'><a href=x>x</a>");
    CHECK_TEXT(r->page.links[0].url.p, "http://a.test/dir/x");
    read_free(r);
}

TEST(blocks_and_emphasis_become_markdown)
{
    CHECK_MARKDOWN("<main><h1> One </h1><p>a <b>bold</b> <em> word </em>,\n "
                   "b<br>c</p><hr><h3>x</h3></main>",
                   "# One\n\na **bold** *word* , b  \nc\n\n---\n\n### x\n");
    CHECK_MARKDOWN("<main><p>x<b> </b>y<i></i></p><p></p><div><div>z</div></div></main>",
                   "x y\n\nz\n");
    CHECK_MARKDOWN("<main>use <code>a  `b`</code> and <kbd>c</kbd></main>",
                   "use `` a `b` `` and `c`\n");
    CHECK_MARKDOWN("<main><p>a</p><pre>\n  x\n    y ``` z\n</pre><p>b</p></main>",
                   "a\n\n````\n  x\n    y ``` z\n````\n\nb\n");
}

TEST(links_and_images_become_markdown)
{
    CHECK_MARKDOWN(
        "<main>see <a href='x#f'> the page </a>, <a href='#top'>top</a><a href='y'></a></main>",
        "see [the page](http://a.test/dir/x) , top\n");
    CHECK_MARKDOWN("<main><a href='w_(x)'>w</a></main>", "[w](<http://a.test/dir/w_(x)>)\n");
    CHECK_MARKDOWN("<main><img src=i.png alt='a picture'> <img src=j.png></main>",
                   "![a picture](http://a.test/dir/i.png)\n");
    CHECK_MARKDOWN("<main><a href=x><h2>Big</h2><p>teaser</p></a></main>",
                   "[Big teaser](http://a.test/dir/x)\n");
    CHECK_MARKDOWN("<main><h2>T<a href='#t'>\xc2\xb6</a></h2></main>", "## T\n");
}

TEST(lists_and_quotes_nest)
{
    CHECK_MARKDOWN("<main><ul><li>a<li><p>b</p><ul><li>c</ul><li></ul>t</main>",
                   "- a\n- b\n\n  - c\n\nt\n");
    CHECK_MARKDOWN("<main><ol start=9><li>a<li>b</ol></main>", "9. a\n10. b\n");
    CHECK_MARKDOWN("<main><ul><li><ol><li>x</ol></ul></main>", "- 1. x\n");
    CHECK_MARKDOWN("<main>a<blockquote><p>b</p><p>c</p></blockquote>d</main>",
                   "a\n\n> b\n>\n> c\n\nd\n");
    CHECK_MARKDOWN("<main><ul><li>a<pre>x\ny</pre></ul></main>",
                   "- a\n\n  ```\n  x\n  y\n  ```\n");
}

TEST(tables_of_data_become_tables_and_others_text)
{
    CHECK_MARKDOWN("<main><table><tr><th>a<th>b|c<tr><td>1<td><p>2</p><p>3</p></table></main>",
                   "| a | b\\|c |\n| --- | --- |\n| 1 | 2 3 |\n");
    CHECK_MARKDOWN("<main><table><tr><td><h2>x</h2><td>y</table></main>", "## x\n\ny\n");
}

TEST(characters_that_markdown_would_read_are_escaped)
{
    CHECK_MARKDOWN("<main>*a* _b_ c_d [e] &lt;f> `g` &amp;amp; \\</main>",
                   "\\*a\\* \\_b\\_ c_d \\[e\\] \\<f> \\`g\\` \\&amp; \\\\\n");
    CHECK_MARKDOWN("<main><p># a<p>1. b<p>- c<p>+ d<p>&gt; e</main>",
                   "\\# a\n\n1\\. b\n\n\\- c\n\n\\+ d\n\n\\> e\n");
}

TEST(the_main_text_is_found)
{
    CHECK_MARKDOWN(
        "<nav>n</nav><header>h</header><main>m<aside>a</aside></main><footer>f</footer>",
        "m\n");
    CHECK_MARKDOWN("<div>x</div><article><header><h1>T</h1></header><p>a</p></article>",
                   "# T\n\na\n");
    CHECK_MARKDOWN("<div role=main>m</div><div>x</div>", "m\n");
    CHECK_MARKDOWN(
        "<div id=menu><a href=1>one</a> <a href=2>two</a></div>"
        "<div id=page><div><p>A long text that says much more than the menu does, so "
        "that it is the main text.</p><p>And more of it.</p></div></div>",
        "A long text that says much more than the menu does, so that it is the main "
        "text.\n\nAnd more of it.\n");
    CHECK_MARKDOWN("<p>a</p><script>s</script><style>t</style><p hidden>h</p><p "
                   "aria-hidden=true>i</p><button>b</button>",
                   "a\n");
    CHECK_MARKDOWN("<main><article>1</article><article>2</article></main>", "1\n\n2\n");
}

TEST(words_are_counted)
{
    struct read *r = read_page("<main><h1>One two</h1><p>th<b>ree</b> <i>four</i></p></main>");
    CHECK_INT(r->page.words, 4);
    read_free(r);
}

TEST(a_text_too_long_is_cut_and_says_so)
{
    AUTO_BUF html = BUF_INIT(16 << 20);
    buf_add_c(&html, "<main>");
    while (html.n < LIMIT_DOCUMENT_BYTES + 1000)
        buf_add_c(&html, "<p>caf\xc3\xa9 words</p>");
    buf_add_c(&html, "<a href=last>x</a>");
    while (html.n < 2 * LIMIT_DOCUMENT_BYTES)
        buf_add_c(&html, "<p>caf\xc3\xa9 words</p>");
    struct read *r = read_page(buf_text(&html));
    CHECK_INT(r->code, 0);
    CHECK(r->page.truncated && r->markdown.n <= LIMIT_DOCUMENT_BYTES);
    CHECK(r->markdown.n > LIMIT_DOCUMENT_BYTES - 100);
    CHECK_INT(r->page.link_count, 1); /* links are found beyond the cut */
    read_free(r);
}

TEST(a_page_made_to_break_readers_ends_with_a_sentence_or_in_time)
{
    AUTO_BUF html = BUF_INIT(16 << 20);
    while (html.n < 4 << 20)
        buf_add_c(&html, "<div>");
    struct read *r = read_page(buf_text(&html));
    if (r->code < 0)
        CHECK_HAS(r->e.text, "too deep or too large");
    read_free(r);
    buf_clear(&html);
    while (html.n < 100000)
        buf_add_c(&html, "<ul><li><blockquote><b><a href=x>");
    buf_add_c(&html, "end");
    r = read_page(buf_text(&html));
    if (r->code >= 0)
        CHECK_HAS(buf_text(&r->markdown), "end");
    read_free(r);
}
