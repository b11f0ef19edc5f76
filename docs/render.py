"What Sphinx needs besides its extensions: names of headings, and equations"
from docutils import nodes
from docutils.utils.math import latex2mathml

def slug(
    title:str, # of a heading
)->str: # its name in links; as Quarto makes it, so that they hold on both sites
    "The name of a heading"
    return '-'.join(''.join(c for c in title.lower() if c.isalnum() or c in ' _-.').split())

def mathml(block):
    "Write a formula as MathML, which browsers draw themselves: there is nothing to download"
    def visit(writer, node):
        writer.body.append(latex2mathml.tex2mathml(node.astext(), as_block=block))
        raise nodes.SkipNode
    return visit, None

def setup(app):
    app.add_html_math_renderer('mathml', mathml(False), mathml(True))
    return dict(parallel_read_safe=True, parallel_write_safe=True)
