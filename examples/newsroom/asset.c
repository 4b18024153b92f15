/* What pages refer to: the style sheet, two pictures and a PDF. All of it is text or a few
 * bytes, so it lives in the program and needs no folder. */
#include "page.h"
#include "site.h"

#include <string.h>

static const char style[] =
    ":root{color-scheme:light "
    "dark;--ink:#1c2326;--paper:#fbfaf6;--line:#cfd4d2;--link:#0b5c6b}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e6e3;--paper:#15191b;--line:#38413f;"
    "--link:#7cc7d4}}\n"
    "body{margin:0 auto;max-width:46rem;padding:0 "
    "1rem;background:var(--paper);color:var(--ink);"
    "font:1.05rem/1.6 Georgia,'Times New Roman',serif}\n"
    "a{color:var(--link)}\nh1{line-height:1.2}\nimg{max-width:100%;vertical-align:middle}\n"
    ".masthead{border-bottom:3px double var(--line);padding:1rem 0}\n"
    ".logo{font-size:1.9rem;font-weight:bold;color:inherit;text-decoration:none}\n"
    ".motto,.byline,.kicker,.tags,time,footer{font:.85rem/1.5 system-ui,sans-serif}\n"
    "nav ul,footer ul,.teasers{list-style:none;padding:0}\n"
    "nav li,footer li{display:inline-block;margin-right:1rem}\n"
    ".lead{font-size:1.2rem}\n.teaser{border-bottom:1px solid var(--line);padding:.6rem 0}\n"
    ".teaser h3,.teaser p{margin:.2rem 0}\nblockquote{border-left:3px solid var(--line);"
    "margin-left:0;padding-left:1rem;font-style:italic}\n"
    "footer{border-top:3px double "
    "var(--line);margin-top:2rem}\ntable{border-collapse:collapse}\n"
    "td,th{border:1px solid var(--line);padding:.1rem .5rem}\n";

static const char weir_svg[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 40\">"
    "<rect width=\"40\" height=\"40\" rx=\"6\" fill=\"#0b5c6b\"/>"
    "<path d=\"M4 14h12c6 0 6 14 20 14M4 20h10c6 0 6 14 22 14M4 8h14c6 0 6 14 18 14\" "
    "fill=\"none\" stroke=\"#fff\" stroke-width=\"2.5\"/></svg>\n";

/* The weir in six lines: 320 x 80 dots in two colours. */
/* clang-format off */
static const unsigned char weir_png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
    0x52, 0x00, 0x00, 0x01, 0x40, 0x00, 0x00, 0x00, 0x50, 0x01, 0x03, 0x00, 0x00, 0x00, 0x52,
    0xff, 0x3e, 0xc6, 0x00, 0x00, 0x00, 0x06, 0x50, 0x4c, 0x54, 0x45, 0x0b, 0x5c, 0x6b, 0xff,
    0xff, 0xff, 0xde, 0xda, 0x3d, 0xd6, 0x00, 0x00, 0x00, 0xd1, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0xed, 0xd6, 0x3b, 0x0a, 0xc3, 0x30, 0x10, 0x84, 0xe1, 0x11, 0x2a, 0x5c, 0xea, 0x08,
    0xba, 0x89, 0x75, 0xb1, 0x10, 0x7c, 0xb4, 0x3d, 0x8a, 0x8e, 0xe0, 0x52, 0x85, 0xb1, 0xb3,
    0x09, 0x69, 0xfc, 0x0a, 0x7f, 0x99, 0x10, 0x4f, 0xeb, 0x65, 0x07, 0x7f, 0x02, 0x21, 0xe9,
    0xca, 0x97, 0x66, 0x59, 0xc7, 0xe8, 0xe0, 0x4c, 0x0b, 0x4a, 0x85, 0x83, 0x61, 0xa2, 0x2b,
    0xf3, 0x00, 0x07, 0xe3, 0x48, 0x57, 0xde, 0x29, 0x4f, 0x32, 0xc8, 0x13, 0x46, 0xca, 0xd3,
    0x53, 0x9e, 0x34, 0x40, 0x1e, 0xd8, 0xed, 0x3c, 0x37, 0xca, 0x93, 0x28, 0x4f, 0xac, 0x94,
    0xa7, 0x51, 0x9e, 0x4c, 0x79, 0x3a, 0xa3, 0x3c, 0x8d, 0xf2, 0xf4, 0x94, 0xe7, 0xa8, 0xfb,
    0x90, 0x27, 0x34, 0xca, 0x53, 0x28, 0x4f, 0x57, 0x29, 0xcf, 0x44, 0x79, 0xb2, 0x41, 0x9e,
    0x38, 0x53, 0x9e, 0xb2, 0xbd, 0x5d, 0xce, 0x78, 0xc2, 0xe6, 0xc3, 0x07, 0x9e, 0xb2, 0x1e,
    0xbc, 0x78, 0xfe, 0x87, 0x67, 0x97, 0x33, 0x9e, 0xfd, 0xef, 0x30, 0x1e, 0x0f, 0xe3, 0x79,
    0x76, 0x33, 0x9e, 0x77, 0x77, 0x26, 0xf7, 0x14, 0xe4, 0x11, 0xe5, 0x71, 0x73, 0xc6, 0xe3,
    0x81, 0x3c, 0xa2, 0x3c, 0x12, 0xe4, 0x79, 0x75, 0x23, 0x1e, 0x51, 0x1e, 0x51, 0x1e, 0x3f,
    0x1c, 0xc8, 0x23, 0xca, 0x23, 0xca, 0xe3, 0xe1, 0xcf, 0x1f, 0x83, 0x83, 0x91, 0x3f, 0xd2,
    0x16, 0xb8, 0x13, 0xf2, 0x88, 0xf2, 0xfc, 0x66, 0x1e, 0x82, 0x9c, 0xde, 0x30, 0x49, 0x0f,
    0xd7, 0xfa, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};
/* clang-format on */

/* A PDF needs the byte offset of every object; ftell() of the growing page knows them. */
static struct reply timetable_pdf(void)
{
    static const char content[] =
        "BT /F1 18 Tf 60 760 Td (Lorn Valley bus timetable) Tj /F1 12 Tf 0 -30 Td\n"
        "(Line 4, Weirbridge to Penny Marsh: every 30 minutes from 05:40) Tj 0 -18 Td\n"
        "(Line 7, Weirbridge to Alder Cross: every 20 minutes from 05:15) Tj ET\n";
    static const char *const objects[] = {
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 6 0 R/Resources 5 0 R>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "<</Font<</F1 4 0 R>>>>",
    };
    enum { PLAIN = sizeof objects / sizeof *objects };
    long offsets[PLAIN + 1];
    struct page page;
    FILE *out = page_open(&page);
    fputs("%PDF-1.4\n", out);
    for (int i = 0; i < PLAIN; i++) {
        offsets[i] = ftell(out);
        fprintf(out, "%d 0 obj\n%s\nendobj\n", i + 1, objects[i]);
    }
    offsets[PLAIN] = ftell(out);
    fprintf(out, "%d 0 obj\n<</Length %zu>>\nstream\n%sendstream\nendobj\n", PLAIN + 1,
            sizeof content - 1, content);
    long xref = ftell(out);
    fprintf(out, "xref\n0 %d\n0000000000 65535 f \n", PLAIN + 2);
    for (int i = 0; i <= PLAIN; i++)
        fprintf(out, "%010ld 00000 n \n", offsets[i]);
    fprintf(out, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%ld\n%%%%EOF\n", PLAIN + 2,
            xref);
    return page_close(&page, MHD_HTTP_OK, "application/pdf");
}

struct reply asset_static(const struct site *site, const struct request *request,
                          const char *rest)
{
    (void)site;
    (void)request;
    if (strcmp(rest, "site.css") == 0)
        return reply_static(MHD_HTTP_OK, "text/css; charset=utf-8", style, sizeof style - 1);
    if (strcmp(rest, "weir.svg") == 0)
        return reply_static(MHD_HTTP_OK, "image/svg+xml", weir_svg, sizeof weir_svg - 1);
    if (strcmp(rest, "weir.png") == 0)
        return reply_static(MHD_HTTP_OK, "image/png", weir_png, sizeof weir_png);
    if (strcmp(rest, "timetable.pdf") == 0)
        return timetable_pdf();
    return (struct reply){0};
}
