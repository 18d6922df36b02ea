/*
 * svg.c - strokes out of JSON, numbers out of strokes, and both into a document with the bounds of all of it.
 *
 * Bounds take in each point that the data names, control points too: a curve lies within them. For an arc its radii are
 * added around both of its ends, which is ample.
 */
#include "jot/svg.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STROKES_MAX = 100000, DEPTH_MAX = 4 };
static const double FAR = 1e6; /* what lies farther out is drawn there */

typedef struct {
    FILE *out; /* the strokes' elements */
    double left, top, right, bottom;
    bool any;
    size_t strokes;
} canvas;

/* ---- numbers and bounds ---- */

static void put_number(FILE *out, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.3f", value);
    for (char *p = text; *p != '\0'; p++)
        if (*p == ',')
            *p = '.'; /* whatever the locale */
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '0')
        text[--len] = '\0';
    if (len > 0 && text[len - 1] == '.')
        text[--len] = '\0';
    fputs(strcmp(text, "-0") == 0 ? "0" : text, out);
}

static double bound(double value) {
    return !(value > -FAR) ? -FAR : value > FAR ? FAR : value;
}

static void include(canvas *c, double x, double y, double around) {
    x = bound(x);
    y = bound(y);
    if (!c->any || x - around < c->left)
        c->left = x - around;
    if (!c->any || y - around < c->top)
        c->top = y - around;
    if (!c->any || x + around > c->right)
        c->right = x + around;
    if (!c->any || y + around > c->bottom)
        c->bottom = y + around;
    c->any = true;
}

/* ---- path data ---- */

typedef struct {
    const char *at;
    double x, y, start_x, start_y;
} pen;

static void skip_space(pen *p) {
    p->at += strspn(p->at, " \t\r\n");
}

static void skip_comma(pen *p) {
    skip_space(p);
    if (*p->at == ',') {
        p->at++;
        skip_space(p);
    }
}

static size_t digits(const char *at) {
    return strspn(at, "0123456789");
}

/* A number as SVG spells it; nothing else that strtod knows, and in no locale. */
static bool read_number(pen *p, double *out) {
    const char *at = p->at;
    bool minus = *at == '-';
    double value = 0;
    int exponent = 0;
    at += *at == '-' || *at == '+';
    size_t whole = digits(at);
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (at[i] - '0');
    at += whole;
    size_t part = *at == '.' ? digits(at + 1) : 0;
    for (size_t i = 0; i < part; i++)
        if (i < 17) {
            value = value * 10 + (at[1 + i] - '0');
            exponent--;
        }
    if (whole + part == 0)
        return false;
    at += *at == '.' ? 1 + part : 0;
    if ((*at | 0x20) == 'e') {
        const char *power = at + 1;
        bool down = *power == '-';
        int value_of = 0;
        power += *power == '-' || *power == '+';
        size_t n = digits(power);
        for (size_t i = 0; i < n; i++)
            value_of = value_of < 1000 ? value_of * 10 + (power[i] - '0') : value_of;
        if (n > 0) {
            exponent += down ? -value_of : value_of;
            at = power + n;
        }
    }
    value = value == 0 ? 0 : isfinite(value) ? value * pow(10, exponent) : FAR; /* 0e999 is no NaN */
    *out = bound(minus ? -value : value);
    p->at = at;
    return true;
}

static bool read_flag(pen *p, double *out) {
    if (*p->at != '0' && *p->at != '1')
        return false;
    *out = *p->at++ - '0';
    return true;
}

/* How many numbers a command takes; -1: it is none. */
static int numbers_of(char command) {
    switch (command | 0x20) {
    case 'm':
    case 'l':
    case 't':
        return 2;
    case 'h':
    case 'v':
        return 1;
    case 's':
    case 'q':
        return 4;
    case 'c':
        return 6;
    case 'a':
        return 7;
    case 'z':
        return 0;
    default:
        return -1;
    }
}

static bool read_arguments(pen *p, char command, double n[static 7]) {
    int count = numbers_of(command);
    for (int i = 0; i < count; i++) {
        bool flag = (command | 0x20) == 'a' && (i == 3 || i == 4);
        if (i > 0)
            skip_comma(p);
        if (!(flag ? read_flag(p, &n[i]) : read_number(p, &n[i])))
            return false;
    }
    return true;
}

/* Moves the pen, and takes in what the command touches. */
static void follow(canvas *c, pen *p, char command, const double n[static 7]) {
    bool relative = command >= 'a';
    double from_x = relative ? p->x : 0, from_y = relative ? p->y : 0, around = 0;
    int count = numbers_of(command);
    switch (command | 0x20) {
    case 'h':
        p->x = bound(from_x + n[0]);
        break;
    case 'v':
        p->y = bound(from_y + n[0]);
        break;
    case 'z':
        p->x = p->start_x;
        p->y = p->start_y;
        return;
    case 'a':
        around = 2 * fmax(fabs(n[0]), fabs(n[1]));
        include(c, p->x, p->y, around);
        p->x = bound(from_x + n[5]);
        p->y = bound(from_y + n[6]);
        break;
    default:
        for (int i = 0; i + 1 < count; i += 2)
            include(c, from_x + n[i], from_y + n[i + 1], 0);
        p->x = bound(from_x + n[count - 2]);
        p->y = bound(from_y + n[count - 1]);
    }
    if ((command | 0x20) == 'm') {
        p->start_x = p->x;
        p->start_y = p->y;
    }
    include(c, p->x, p->y, around);
}

static void put_command(FILE *out, char command, const double n[static 7]) {
    fputc(command, out);
    for (int i = 0; i < numbers_of(command); i++) {
        if (i > 0)
            fputc(' ', out);
        put_number(out, n[i]);
    }
}

/* What makes sense of `data`, written anew. */
static void draw_path(canvas *c, const char *data) {
    pen p = {.at = data};
    char command = '\0';
    double n[7] = {0};
    for (bool first = true;; first = false) {
        skip_space(&p);
        if (numbers_of(*p.at) >= 0 && *p.at != '\0') {
            command = *p.at++;
            skip_space(&p);
        } else if (command == '\0' || (command | 0x20) == 'z') {
            return;
        } else {
            skip_comma(&p);
            command = command == 'm' ? 'l' : command == 'M' ? 'L' : command; /* repeated */
        }
        if ((first && (command | 0x20) != 'm') || !read_arguments(&p, command, n))
            return;
        follow(c, &p, command, n);
        put_command(c->out, command, n);
    }
}

/* ---- strokes ---- */

/* #rgb and the like, or a word; anything else is black. */
static const char *safe_colour(const char *typed) {
    size_t len = typed != NULL ? strlen(typed) : 0;
    if (len > 0 && typed[0] == '#' && (len == 4 || len == 5 || len == 7 || len == 9) &&
        strspn(typed + 1, "0123456789abcdefABCDEF") == len - 1)
        return typed;
    if (len >= 3 && len <= 20 && strspn(typed, "abcdefghijklmnopqrstuvwxyz") == len)
        return typed;
    return "black";
}

static const char *string_of(const json_t *object, const char *a, const char *b, const char *c) {
    const char *value = json_string_value(json_object_get(object, a));
    if (value == NULL && b != NULL)
        value = json_string_value(json_object_get(object, b));
    return value == NULL && c != NULL ? json_string_value(json_object_get(object, c)) : value;
}

static double width_of(const json_t *stroke) {
    const json_t *value = json_object_get(stroke, "strokeWidth");
    double width = json_number_value(value != NULL ? value : json_object_get(stroke, "width"));
    return width > 0.01 && width < 1000 ? width : 3;
}

static void draw(canvas *c, const char *data, const char *colour, double width) {
    double left = c->left, top = c->top, right = c->right, bottom = c->bottom;
    bool any = c->any;
    if (c->strokes++ >= STROKES_MAX)
        return;
    fputs("<path d=\"", c->out);
    c->any = false;
    draw_path(c, data);
    if (c->any) { /* half the stroke's width on each side */
        c->left -= width / 2;
        c->top -= width / 2;
        c->right += width / 2;
        c->bottom += width / 2;
    }
    if (any) {
        c->left = c->any && c->left < left ? c->left : left;
        c->top = c->any && c->top < top ? c->top : top;
        c->right = c->any && c->right > right ? c->right : right;
        c->bottom = c->any && c->bottom > bottom ? c->bottom : bottom;
        c->any = true;
    }
    fprintf(c->out, "\" stroke=\"%s\" stroke-width=\"", safe_colour(colour));
    put_number(c->out, width);
    fputs("\"/>\n", c->out);
}

static void draw_value(canvas *c, const json_t *value, int depth) {
    const json_t *inner;
    const char *data;
    if (json_is_string(value)) {
        draw(c, json_string_value(value), NULL, 3);
    } else if (json_is_array(value) && depth < DEPTH_MAX) {
        for (size_t i = 0; i < json_array_size(value); i++)
            draw_value(c, json_array_get(value, i), depth + 1);
    } else if (json_is_object(value)) {
        if ((data = string_of(value, "path", "d", "svg")) != NULL)
            draw(c, data, string_of(value, "color", "stroke", NULL), width_of(value));
        else if (depth < DEPTH_MAX && ((inner = json_object_get(value, "paths")) != NULL ||
                                       (inner = json_object_get(value, "strokes")) != NULL))
            draw_value(c, inner, depth + 1);
    }
}

/* ---- the document ---- */

static int put_together(const canvas *c, const char *strokes, size_t strokes_len, char **out, size_t *len) {
    FILE *document = open_memstream(out, len);
    if (document == NULL)
        return -1;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"",
          document);
    const double box[] = {c->left, c->top, c->right - c->left, c->bottom - c->top};
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            fputc(' ', document);
        put_number(document, box[i]);
    }
    fputs("\" fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n", document);
    fwrite(strokes, 1, strokes_len, document);
    fputs("</svg>\n", document);
    if (fclose(document) == 0)
        return 0;
    free(*out);
    return -1;
}

int jot_svg(const char *drawing, char **out, size_t *len) {
    canvas c = {0};
    char *strokes = NULL;
    size_t strokes_len = 0;
    json_t *value = json_loads(drawing, JSON_DECODE_ANY, NULL);
    *out = NULL;
    if ((c.out = open_memstream(&strokes, &strokes_len)) == NULL) {
        json_decref(value);
        return -1;
    }
    if (value != NULL)
        draw_value(&c, value, 0);
    else
        draw(&c, drawing, NULL, 3);
    json_decref(value);
    int rc = fclose(c.out) != 0 ? -1 : c.any ? put_together(&c, strokes, strokes_len, out, len) : 1;
    free(strokes);
    return rc;
}
