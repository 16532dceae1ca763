%{
int yylex(void);
void yyerror(const char *message);
%}
%token NUMBER
%%
shape: NUMBER 'x' NUMBER;
%%
