"""What plugs the provider into other people's programs; each module needs the package that it is for."""
