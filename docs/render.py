"What Sphinx needs besides its extensions: names of headings, equations, and the places of Python's names"
from operator import attrgetter

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

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

def kind(obj, name):
    "What Sphinx calls an `obj` of this `name`"
    if isinstance(obj, type): return 'exception' if issubclass(obj, BaseException) else 'class'
    return 'data' if not callable(obj) else 'method' if '.' in name else 'function'

class Names(SphinxTransform):
    "Put each name that the API page documents into the index and into `objects.inv`, with which other projects link"
    default_priority = 800 # the domains collect the index at 850
    def apply(self, **kwargs):
        if self.env.docname!='api': return
        from tweaks import all as ours, conform
        for section in list(self.document.findall(nodes.section)):
            name = section.next_node(nodes.title).astext()
            for module in (ours, conform):
                if name.split('.')[0] in module.__all__: self.note(section, name, module.__name__, attrgetter(name)(module))

    def note(self, section, name, module, obj):
        place,home = section['ids'][0],getattr(obj, '__module__', module)
        for m in {module, home}: # known by both, and found by a search once
            self.env.get_domain('py').note_object(f'{m}.{name}', kind(obj, name), place, aliased=m!=module)
        text = f'{name} ({kind(obj, name)} in {module})'
        section.insert(1, addnodes.index(entries=[('single', text, place, '', None)]))

def setup(app):
    app.add_transform(Names)
    app.add_html_math_renderer('mathml', mathml(False), mathml(True))
    return dict(parallel_read_safe=True, parallel_write_safe=True)
